package klog

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// tick returns a clock that goes on by step at each look.
func tick(step int64) func() int64 {
	var now int64
	return func() int64 { now += step; return now }
}

// all reads the whole log.
func all(l *Log) (list []Record) {
	for seq := uint64(0); ; {
		r, _, ok := l.Read(seq)
		if !ok {
			return list
		}
		list = append(list, r)
		seq = r.Seq
	}
}

func texts(l *Log) []string {
	var s []string
	for _, r := range all(l) {
		s = append(s, r.Text)
	}
	return s
}

func TestText(t *testing.T) {
	long := strings.Repeat("x", MaxText)
	tests := []struct {
		name, text string
		want       []string
	}{
		{"plain", "hello", []string{"hello"}},
		{"empty", "", []string{""}},
		{"newline at the end", "hello\n", []string{"hello"}},
		{"only a newline", "\n", []string{""}},
		{"two lines", "a\nb", []string{"a", "b"}},
		{"empty line inside", "a\n\nb\n", []string{"a", "", "b"}},
		{"CR and newline", "a\r\nb\r\n", []string{"a", "b"}},
		{"CR alone", "a\rb", []string{`a\x0db`}},
		{"escape sequence", "\x1b[2Jgone", []string{`\x1b[2Jgone`}},
		{"NUL, DEL, bell", "\x00\x7f\a", []string{`\x00\x7f\x07`}},
		{"tab stays", "main.f()\n\tf.go:1", []string{"main.f()", "\tf.go:1"}},
		{"UTF-8 stays", "größe 中 \U0001f600", []string{"größe 中 \U0001f600"}},
		{"C1 control", "\u0085\u009b2J\u00a0", []string{`\xc2\x85\xc2\x9b2J` + "\u00a0"}},
		{"not UTF-8", "a\xff\xc3b", []string{`a\xff\xc3b`}},
		{"replacement character stays", "\ufffd", []string{"\ufffd"}},
		{"just fits", long, []string{long}},
		{"one too long", long + "x", []string{long[3:] + "..."}},
		{"much too long, then a line", strings.Repeat(long, 50) + "\nb", []string{long[3:] + "...", "b"}},
		{"cut before a character", long[5:] + "中文", []string{long[5:] + "..."}},
		{"cut before an escape", long[2:] + "\x01", []string{long[3:] + "..."}},
		{"escapes too long", strings.Repeat("\x01", 251), []string{strings.Repeat(`\x01`, 249) + "..."}},
		{"escapes just fit", strings.Repeat("\x01", 250), []string{strings.Repeat(`\x01`, 250)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := New(1<<16, tick(1), nil, Info)
			l.Printf(Info, "%s", tt.text)
			if got := texts(l); !slices.Equal(got, tt.want) {
				t.Errorf("Printf: %q, want %q", got, tt.want)
			}
			// Write agrees, in one piece and byte by byte. Flush ends its line.
			for _, size := range []int{len(tt.text), 1} {
				l := New(1<<16, tick(1), nil, Info)
				for b := []byte(tt.text); len(b) > 0; b = b[size:] {
					if n, err := l.Write(b[:size]); n != size || err != nil {
						t.Fatalf("Write = %d, %v", n, err)
					}
				}
				l.Flush()
				want := tt.want
				if tt.text == "" {
					want = nil
				}
				if got := texts(l); !slices.Equal(got, want) {
					t.Errorf("Write of %d bytes: %q, want %q", size, got, want)
				}
			}
		})
	}
}

func TestConsoleLine(t *testing.T) {
	tests := []struct {
		ns   int64
		want string
	}{
		{0, "[    0.000000] x\n"},
		{999, "[    0.000000] x\n"},
		{1000, "[    0.000001] x\n"},
		{1234567890, "[    1.234567] x\n"},
		{10_000_001_000, "[   10.000001] x\n"},
		{99999_999999_999, "[99999.999999] x\n"},
		{100000_000000_000, "[100000.000000] x\n"},
		{1<<63 - 1, "[9223372036.854775] x\n"},
		{-5, "[    0.000000] x\n"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		l := New(0, func() int64 { return tt.ns }, &out, Info)
		l.Infof("x")
		if out.String() != tt.want {
			t.Errorf("%d ns: %q, want %q", tt.ns, out.String(), tt.want)
		}
		if r, _, ok := l.Read(0); !ok || !reflect.DeepEqual(r, Record{Seq: 1, Time: tt.ns, Level: Info, Text: "x"}) {
			t.Errorf("%d ns: record %+v", tt.ns, r)
		}
	}
}

func TestLevels(t *testing.T) {
	helpers := []func(*Log, string, ...any){(*Log).Emergf, (*Log).Alertf, (*Log).Critf, (*Log).Errf,
		(*Log).Warnf, (*Log).Noticef, (*Log).Infof, (*Log).Debugf}
	for _, level := range []Level{-1, Emerg, Err, Info, Debug, 99} {
		var out bytes.Buffer
		l := New(1<<14, tick(1), &out, level)
		for i, f := range helpers {
			f(l, "level %d", i)
		}
		l.Printf(-3, "below")
		l.Printf(12, "above")
		shown := bound(level)
		for i, r := range all(l) {
			want := Level(i)
			switch r.Text {
			case "below":
				want = Emerg
			case "above":
				want = Debug
			}
			if r.Level != want || r.Seq != uint64(i+1) {
				t.Errorf("record %d: %+v", i, r)
			}
			if got := strings.Contains(out.String(), r.Text); got != (r.Level <= shown) {
				t.Errorf("console at %d, %q: shown %v", level, r.Text, got)
			}
		}
	}
	if Emerg != 0 || Debug != 7 || Warning != 4 {
		t.Error("the levels are not those of syslog(2)")
	}
}

func TestSetConsoleLevel(t *testing.T) {
	var out bytes.Buffer
	l := New(0, tick(1), &out, Err)
	l.Infof("one")
	l.SetConsoleLevel(Debug)
	l.Infof("two")
	if s := out.String(); strings.Contains(s, "one") || !strings.Contains(s, "two") || l.ConsoleLevel() != Debug {
		t.Errorf("console has %q", s)
	}
}

func TestWrapAround(t *testing.T) {
	const n = 3000
	for _, size := range []int{0, MinSize, MinSize + 1, 1 << 16} {
		l := New(size, tick(1000), nil, Info)
		if _, _, ok := l.Read(0); ok || l.Last() != 0 {
			t.Error("a new log is not empty")
		}
		for i := range n {
			l.Infof("%d %s", i+1, strings.Repeat("y", i*7%MaxText))
			if l.used > l.Size() {
				t.Fatalf("size %d: %d bytes in use", size, l.used)
			}
		}
		got := all(l)
		if len(got) == 0 || got[len(got)-1].Seq != n || l.Last() != n {
			t.Fatalf("size %d: the newest of %d records is missing", size, len(got))
		}
		cost := 0
		for i, r := range got {
			if r.Seq != n-uint64(len(got)-1-i) {
				t.Fatalf("size %d: record %d has number %d", size, i, r.Seq)
			}
			if !strings.HasPrefix(r.Text, fmt.Sprint(r.Seq, " ")) || r.Time != int64(r.Seq)*1000 {
				t.Errorf("record %d is %+v", r.Seq, r)
			}
			cost += len(r.Text) + prefixMax + overhead
		}
		if least := l.Size() - 2*(MaxText+prefixMax+overhead); cost < least {
			t.Errorf("size %d: only %d bytes kept", l.Size(), cost)
		}
		kept := 0
		for i := range l.slots {
			if l.slots[i].Load() != nil {
				kept++
			}
		}
		if kept != len(got) {
			t.Errorf("size %d: %d slots in use for %d records", size, kept, len(got))
		}
	}
}

// The least records there can be must not need more slots than there are.
func TestSmallRecords(t *testing.T) {
	l := New(1<<15, tick(1), nil, Info)
	l.Printf(Info, "%s", strings.Repeat("\n", 5000))
	got := all(l)
	for i, r := range got {
		if r.Seq != l.Last()-uint64(len(got)-1-i) {
			t.Fatalf("record %d has number %d of %d", i, r.Seq, l.Last())
		}
	}
	if len(got) < 200 || len(got) > len(l.slots) {
		t.Errorf("%d records in %d slots", len(got), len(l.slots))
	}
}

func TestLost(t *testing.T) {
	l := New(MinSize, tick(1), nil, Info)
	for range 1000 {
		l.Infof("some line")
	}
	first, lost, ok := l.Read(0)
	if !ok || lost != first.Seq-1 || lost == 0 {
		t.Fatalf("Read(0) = %d, %d lost, %v", first.Seq, lost, ok)
	}
	tests := []struct {
		after, seq, lost uint64
		ok               bool
	}{
		{1, first.Seq, first.Seq - 2, true},
		{first.Seq - 2, first.Seq, 1, true},
		{first.Seq - 1, first.Seq, 0, true},
		{first.Seq, first.Seq + 1, 0, true},
		{998, 999, 0, true},
		{999, 1000, 0, true},
		{1000, 0, 0, false},
		{1001, 0, 0, false},
		{^uint64(0) - 1, 0, 0, false},
		{^uint64(0), 0, 0, false},
	}
	for _, tt := range tests {
		r, lost, ok := l.Read(tt.after)
		if r.Seq != tt.seq || lost != tt.lost || ok != tt.ok {
			t.Errorf("Read(%d) = %d, %d lost, %v, want %d, %d, %v", tt.after, r.Seq, lost, ok, tt.seq, tt.lost, tt.ok)
		}
	}
}

// lines is a console that checks each Write. It may be told to wait.
type lines struct {
	t    *testing.T
	busy sync.Mutex // held during Write: a second one finds it taken
	gate chan bool  // if not nil, each Write gives a value, then takes one
	got  []string
}

func (c *lines) Write(b []byte) (int, error) {
	if !c.busy.TryLock() {
		c.t.Error("two Writes at a time")
		return 0, nil
	}
	defer c.busy.Unlock()
	if c.gate != nil {
		c.gate <- true
		<-c.gate
	}
	if bytes.Count(b, []byte{'\n'}) != 1 || b[len(b)-1] != '\n' {
		c.t.Errorf("console is given %q, not one line", b)
	}
	c.got = append(c.got, string(b))
	return len(b), nil
}

func TestConcurrent(t *testing.T) {
	const writers, each = 8, 300
	con := &lines{t: t}
	l := New(1<<15, tick(1), con, Info)
	var wg, readers sync.WaitGroup
	done := make(chan bool)
	for range 2 {
		readers.Go(func() {
			var seq, lost, n uint64
			for last := false; ; {
				r, k, ok := l.Read(seq)
				if !ok && last {
					if lost+n != writers*each*2 {
						t.Errorf("%d read and %d lost of %d", n, lost, writers*each*2)
					}
					return
				}
				if !ok {
					select {
					case <-done:
						last = true // but some may have come since Read
					default:
						runtime.Gosched()
					}
					continue
				}
				if r.Seq != seq+k+1 {
					t.Errorf("Read(%d) = %d with %d lost", seq, r.Seq, k)
				}
				w, i, line := 0, 0, 0
				if _, err := fmt.Sscanf(r.Text, "w%d i%d line %d", &w, &i, &line); err != nil ||
					r.Text != text(w, i, line) {
					t.Errorf("torn record %q", r.Text)
				}
				seq, lost, n = r.Seq, lost+k, n+1
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Infof("%s\n%s", text(w, i, 0), text(w, i, 1))
				if i%40 == w {
					l.Flush()
				}
			}
		})
	}
	wg.Wait() // and no Flush: nothing is left behind
	close(done)
	readers.Wait()

	// The console shows all, or says how many it doesn't, in order.
	shown, last := 0, ""
	for _, line := range con.got {
		k := 0
		if n, _ := fmt.Sscanf(line, "klog: %d lines lost here", &k); n == 1 {
			shown += k
			continue
		}
		if shown++; line[:14] < last { // by time
			t.Errorf("%q after %q", line, last)
		}
		last = line[:14]
	}
	if shown != writers*each*2 {
		t.Errorf("the console accounts for %d lines of %d", shown, writers*each*2)
	}
	// The lines of one call are together.
	for rest := all(l); len(rest) > 1; rest = rest[1:] {
		if a, ok := strings.CutSuffix(rest[0].Text, "0"); ok && rest[1].Text != a+"1" {
			t.Errorf("%q, then %q", rest[0].Text, rest[1].Text)
		}
	}
}

func text(w, i, line int) string {
	return fmt.Sprintf("w%d i%d %sline %d", w, i, strings.Repeat(" ", i%50), line)
}

// A writer doesn't wait for a console that another is at; what it logs is
// shown all the same, and Flush waits for it.
func TestSlowConsole(t *testing.T) {
	con := &lines{t: t, gate: make(chan bool)}
	l := New(1<<16, tick(1000), con, Info)
	var slow sync.WaitGroup
	slow.Go(func() { l.Infof("slow") })
	<-con.gate // it has the console now
	for i := range 5 {
		l.Infof("fast %d", i) // would hang here
	}

	// Now the CPU of the slow one dies, with the console and the ring locked.
	l.ring.Lock()
	var tail, dump []string
	l.TryTail(func(line []byte) { tail = append(tail, string(line)) })
	l.Dump(func(line []byte) { dump = append(dump, string(line)) })
	if len(tail) != 6 || !slices.Equal(tail, dump) || tail[0] != "[    0.000001] slow\n" || tail[5] != "[    0.000006] fast 4\n" {
		t.Errorf("TryTail gives %q, Dump %q", tail, dump)
	}
	l.ring.Unlock()

	go func() {
		con.gate <- true
		for range 5 {
			<-con.gate
			con.gate <- true
		}
	}()
	l.Flush()
	slow.Wait()
	if !slices.Equal(con.got, tail) {
		t.Errorf("console has %q, want %q", con.got, tail)
	}
	l.TryTail(func(line []byte) { t.Errorf("TryTail gives %q after Flush", line) })
}

func TestTail(t *testing.T) {
	l := New(1<<14, tick(1), nil, Err) // no console: nothing is ever shown
	l.Errf("one")
	l.Debugf("two")
	l.Critf("three")
	var tail, dump int
	if n := testing.AllocsPerRun(10, func() {
		tail, dump = 0, 0
		l.TryTail(func([]byte) { tail++ })
		l.Dump(func([]byte) { dump++ })
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if tail != 2 || dump != 3 {
		t.Errorf("TryTail gives %d lines, Dump %d; want 2 and 3", tail, dump)
	}
}

// A console that lags tells what it missed.
func TestConsoleLost(t *testing.T) {
	var out bytes.Buffer
	l := New(MinSize, tick(1), &out, Info)
	l.console.Lock()
	for range 500 {
		l.Infof("x")
	}
	l.console.Unlock()
	first, lost, _ := l.Read(0)
	l.Flush()
	want := fmt.Sprintf("klog: %d lines lost here\n", lost)
	if got := out.String(); !strings.HasPrefix(got, want) || lost != first.Seq-1 {
		t.Errorf("console begins %.60q, want %q", got, want)
	}
}

// rude panics at its first Write.
type rude struct {
	bytes.Buffer
	was bool
}

func (c *rude) Write(b []byte) (int, error) {
	if !c.was {
		c.was = true
		panic("console")
	}
	return c.Buffer.Write(b)
}

func TestConsolePanics(t *testing.T) {
	con := new(rude)
	l := New(0, tick(1), con, Info)
	func() {
		defer func() { recover() }()
		l.Infof("one")
	}()
	l.Infof("two")
	if s := con.String(); !strings.Contains(s, "one") || !strings.Contains(s, "two") {
		t.Errorf("console has %q", s)
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\nb\x1b\xff"), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		whole, parts := New(1<<20, tick(1), nil, Info), New(1<<20, tick(1), nil, Info)
		whole.Write(text)
		whole.Flush()
		cut = min(max(cut, 0), len(text))
		parts.Write(text[:cut])
		parts.Write(text[cut:])
		parts.Flush()
		if a, b := texts(whole), texts(parts); !slices.Equal(a, b) {
			t.Errorf("cut at %d: %q, want %q", cut, b, a)
		}
		for _, s := range texts(whole) {
			if len(s) > MaxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool {
				return c < ' ' && c != '\t' || c >= 0x7f && c < 0xa0
			}) {
				t.Errorf("unsafe text %q", s)
			}
		}
	})
}

func BenchmarkPrintf(b *testing.B) {
	l := New(1<<18, tick(1), nil, Info)
	b.ReportAllocs()
	for b.Loop() {
		l.Infof("instance %d: started in %d us", 12345, 678)
	}
}
