package uart

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestInit(t *testing.T) {
	for _, tt := range []struct {
		name    string
		set     func(*chip)
		baud    int
		err     error
		divisor uint16
		depth   int
	}{
		{"16550A", func(*chip) {}, 115200, nil, 1, 16},
		{"9600", func(*chip) {}, 9600, nil, 12, 16},
		{"slowest", func(*chip) {}, 2, nil, 57600, 16},
		{"rounded", func(*chip) {}, 110, nil, 1047, 16},
		{"16450", func(c *chip) { c.noFIFO = true }, 115200, nil, 1, 1},
		{"sending", func(c *chip) { c.tx = []byte("x") }, 115200, nil, 1, 16},
		{"input waits", func(c *chip) { c.in = make([]symbol, 1) }, 115200, nil, 1, 16},
		{"never idle", func(c *chip) { c.tx = []byte("xxx"); c.stuckTx.Store(true) }, 115200, ErrAbsent, 1, 16},
		{"absent", func(c *chip) { c.absent = true }, 115200, ErrAbsent, 0, 0},
		{"no loopback", func(c *chip) { c.deaf = true }, 115200, ErrAbsent, 1, 16},
		{"too fast", func(*chip) {}, 230400, ErrBaud, 0, 0},
		{"too slow", func(*chip) {}, 1, ErrBaud, 0, 0},
		{"no speed", func(*chip) {}, 0, ErrBaud, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newChip()
			tt.set(c)
			u := &UART{Ports: c, Base: base}
			if err := u.Init(tt.baud); err != tt.err {
				t.Fatalf("Init = %v, want %v", err, tt.err)
			}
			if c.divisor != tt.divisor || u.depth != tt.depth {
				t.Errorf("divisor %d, depth %d, want %d, %d", c.divisor, u.depth, tt.divisor, tt.depth)
			}
			if tt.err != nil {
				return
			}
			if c.regs[lcr] != lcr8N1 || c.regs[mcr] != mcrDTR|mcrRTS || c.regs[ier] != 0 || len(c.in) != 0 {
				t.Errorf("registers %x, input %v", c.regs, c.in)
			}
			if n, err := u.Write([]byte("hello")); n != 5 || err != nil {
				t.Errorf("Write before Start = %d, %v", n, err)
			}
			u.await(lsrTxEmpty)
			if got := strings.TrimLeft(c.sent(), "x"); got != "hello" {
				t.Errorf("sent %q", got)
			}
			if _, err := u.Read(make([]byte, 1)); err != ErrStopped {
				t.Errorf("Read before Start: %v", err)
			}
			if err := u.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWrite lets several goroutines write; what each call writes must stay
// together and in order, on chips with different faults.
func TestWrite(t *testing.T) {
	for _, tt := range []struct {
		name  string
		set   func(*chip)
		check func(t *testing.T, s Stats)
	}{
		{"16550A", func(*chip) {}, func(t *testing.T, s Stats) {
			if s.Polling {
				t.Error("interrupts count as useless")
			}
		}},
		{"16450", func(c *chip) { c.noFIFO = true }, nil},
		{"no interrupts", func(c *chip) { c.loseEdge = true }, func(t *testing.T, s Stats) {
			if s.Rescued == 0 {
				t.Error("nothing rescued")
			}
		}},
		{"wrong cause", func(c *chip) { c.badCause = 0xca }, nil},
		{"always transmitter", func(c *chip) { c.badCause = iirFIFO | iirTx }, nil},
		{"always modem", func(c *chip) { c.badCause = iirFIFO | iirModem | 0x20 }, nil},
		{"always line", func(c *chip) { c.badCause = iirFIFO | iirLine }, nil},
		{"never a cause", func(c *chip) { c.badCause = iirFIFO | iirNone }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const writers, messages = 4, 9
			c := newChip()
			tt.set(c)
			u := start(t, c)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for m := range messages {
						p := []byte(fmt.Sprintf("<%d:%d%s>", w, m, strings.Repeat(".", 50*m)))
						if n, err := u.Write(p); n != len(p) || err != nil {
							t.Errorf("Write = %d, %v", n, err)
						}
					}
				})
			}
			wg.Wait()
			if err := u.Flush(); err != nil {
				t.Fatal(err)
			}
			next := make([]int, writers)
			for _, msg := range strings.SplitAfter(c.sent(), ">") {
				if msg == "" {
					continue
				}
				var w, m int
				if _, err := fmt.Sscanf(msg, "<%d:%d", &w, &m); err != nil || w >= writers {
					t.Fatalf("torn message %q", msg)
				}
				if want := fmt.Sprintf("<%d:%d%s>", w, next[w], strings.Repeat(".", 50*next[w])); msg != want {
					t.Fatalf("got %q, want %q", msg, want)
				}
				next[w]++
			}
			for w, n := range next {
				if n != messages {
					t.Errorf("%d messages of writer %d", n, w)
				}
			}
			if s := u.Stats(); tt.check != nil {
				tt.check(t, s)
			}
		})
	}
}

// TestRead sends more than the ring and the chip hold.
func TestRead(t *testing.T) {
	c := newChip()
	u := start(t, c)
	want := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz\n"), 1000)
	var symbols []symbol
	for _, b := range want {
		symbols = append(symbols, symbol{c: b})
	}
	go c.feed(true, symbols...)
	time.Sleep(20 * time.Millisecond) // let it fill up
	got := make([]byte, len(want))
	if _, err := io.ReadFull(u, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("input damaged: %v", err)
	}
	if s := u.Stats(); s.Overruns != 0 || s.Received != uint64(len(want)) {
		t.Errorf("%+v", s)
	}
	if n, err := u.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing = %d, %v", n, err)
	}
}

func TestLineErrors(t *testing.T) {
	c := newChip()
	u := start(t, c)
	c.feed(true, symbol{c: 'a'}, symbol{c: '?', err: lsrParity}, symbol{c: 'b'}, symbol{c: '?', err: lsrFraming},
		symbol{err: lsrBreak | lsrFraming | lsrParity}, symbol{c: 'c'}, symbol{c: 'd'})
	got := make([]byte, 4)
	if _, err := io.ReadFull(u, got); err != nil || string(got) != "abcd" {
		t.Errorf("read %q, %v", got, err)
	}
	if s := u.Stats(); s.Parity != 1 || s.Framing != 1 || s.Breaks != 1 || s.Received != 4 || s.Overruns != 0 {
		t.Errorf("%+v", s)
	}
	u.mu.Lock() // nobody serves the chip
	for range fifoDepth + 5 {
		c.feed(false, symbol{c: 'x'})
	}
	u.mu.Unlock()
	if _, err := io.ReadFull(u, make([]byte, fifoDepth)); err != nil {
		t.Error(err)
	}
	if s := u.Stats(); s.Overruns != 1 { // the chip only says that there were some
		t.Errorf("%+v", s)
	}
}

// TestEdge checks that an interrupt that comes while another is served, and
// a line that stays up all the time, leave nothing behind.
func TestEdge(t *testing.T) {
	c := newChip()
	u := &UART{Ports: c, Base: base}
	if err := u.Init(115200); err != nil {
		t.Fatal(err)
	}
	u.Start()
	u.Interrupt()
	if s := u.Stats(); s.Spurious != 1 {
		t.Errorf("%+v", s)
	}
	c.feed(true, symbol{c: 'a'})
	<-c.edges
	u.Interrupt()
	if c.level {
		t.Error("the interrupt is up after it was served")
	}
	c.feed(true, symbol{c: 'b'})
	select {
	case <-c.edges:
	default:
		t.Error("no second edge")
	}

	// An endless stream: Interrupt must end, with an edge to come.
	w := &waterfall{chip: c}
	u.Ports = w
	u.Interrupt()
	select {
	case <-c.edges:
	default:
		t.Error("no edge though the interrupt is up")
	}
	w.off = true
	u.Interrupt()
	if c.level {
		t.Error("the interrupt is up after the stream has ended")
	}

	// A cause that nothing removes: interrupts go off.
	c.badCause = iirFIFO | iirModem | 0x20
	for range 2 * maxUseless / budget {
		u.Interrupt()
	}
	if s := u.Stats(); !s.Polling || c.regs[ier] != 0 {
		t.Errorf("%+v, interrupts %#x", s, c.regs[ier])
	}
	u.Interrupt() // nothing
}

// waterfall has a new byte whenever one is read.
type waterfall struct {
	*chip
	off bool
}

func (w *waterfall) In8(port uint16) uint8 {
	v := w.chip.In8(port)
	if port == base+lsr && !w.off {
		w.mu.Lock()
		if len(w.in) == 0 && w.regs[ier]&ierRx != 0 {
			w.arrive(symbol{c: 'w', err: lsrBreak})
			w.settle()
		}
		w.mu.Unlock()
	}
	return v
}

// TestStuck has a transmitter that doesn't send.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChip()
		u := &UART{Ports: c, Base: base}
		if err := u.Init(115200); err != nil {
			t.Fatal(err)
		}
		u.Start()
		c.stuckTx.Store(true)
		if n, err := u.Write(make([]byte, 1000)); n != 1000 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		if err := u.Flush(); err != ErrStuck {
			t.Errorf("Flush = %v", err)
		}
		if err := u.Flush(); err != ErrStuck { // at once
			t.Errorf("second Flush = %v", err)
		}
		done := make(chan error)
		go func() {
			_, err := u.Write(make([]byte, ringSize))
			done <- err
		}()
		time.Sleep(time.Minute)
		select {
		case <-done:
			t.Error("Write didn't wait")
		default:
		}
		c.stuckTx.Store(false)
		if err := <-done; err != nil { // the timer has seen it
			t.Error(err)
		}
		if err := u.Flush(); err != nil {
			t.Error(err)
		}
		if n := len(c.sent()); n != 1000+ringSize {
			t.Errorf("sent %d bytes", n)
		}
	})
}

// TestWritePolledLate writes while nobody reads the other end for a while.
func TestWritePolledLate(t *testing.T) {
	c := newChip()
	pauses := 0
	u := &UART{Ports: c, Base: base, Pause: func() {
		if pauses++; pauses == 200000 { // some tenths of a second
			c.stuckTx.Store(false)
		}
	}}
	if err := u.Init(115200); err != nil {
		t.Fatal(err)
	}
	c.stuckTx.Store(true)
	long := strings.Repeat("late ", 100)
	if n := u.WritePolled([]byte(long)); n != len(long) {
		t.Errorf("WritePolled = %d, want %d", n, len(long))
	}
	u.await(lsrTxEmpty)
	if got := c.sent(); got != long {
		t.Errorf("sent %q", got)
	}
}

func TestWritePolled(t *testing.T) {
	c := newChip()
	u := &UART{Ports: c, Base: base}
	if n := u.WritePolled([]byte("early")); n != 5 { // before Init
		t.Errorf("WritePolled = %d", n)
	}
	if err := u.Init(115200); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("panic: ", 100)
	if n := u.WritePolled([]byte(long)); n != len(long) {
		t.Errorf("WritePolled = %d", n)
	}
	u.await(lsrTxEmpty)
	if got := c.sent(); got != "early"+long {
		t.Errorf("sent %q", got)
	}

	c.stuckTx.Store(true)
	count := &counter{chip: c}
	u.Ports = count
	p := make([]byte, 100)
	sent := u.WritePolled(p)
	if sent >= len(p) || u.Stats().Dropped != uint64(len(p)-sent) {
		t.Errorf("%d sent, %+v", sent, u.Stats())
	}
	if count.n > 2*patience {
		t.Errorf("%d accesses", count.n)
	}
	count.n = 0
	if n, err := u.Write(p); n != 0 || err != ErrStuck {
		t.Errorf("Write = %d, %v", n, err)
	}
	if count.n > 10 {
		t.Errorf("%d accesses though it is known to be stuck", count.n)
	}
	c.stuckTx.Store(false)
	for range 100 * charTime {
		c.In8(base + scr)
	}
	if n := u.WritePolled(p); n != len(p) {
		t.Errorf("sent %d after it moved again", n)
	}
}

// willing is a chip that takes everything.
type willing struct{}

func (willing) In8(uint16) uint8   { return lsrTxReady }
func (willing) Out8(uint16, uint8) {}

func TestNoAllocation(t *testing.T) {
	u := &UART{Ports: willing{}, Base: base}
	p := make([]byte, 100)
	if n := testing.AllocsPerRun(10, func() {
		u.tx.put(p)
		u.panicked.Store(false)
		u.Panic()
		u.WritePolled(p)
	}); n != 0 || u.tx.len() != 0 {
		t.Errorf("%v allocations", n)
	}
}

// counter counts accesses.
type counter struct {
	*chip
	n int
}

func (c *counter) In8(port uint16) uint8 { c.n++; return c.chip.In8(port) }

func TestPanic(t *testing.T) {
	for _, held := range []bool{false, true} {
		t.Run(fmt.Sprintf("held %t", held), func(t *testing.T) {
			c := newChip()
			u := &UART{Ports: c, Base: base}
			if err := u.Init(115200); err != nil {
				t.Fatal(err)
			}
			u.Start()
			if _, err := u.Write([]byte(strings.Repeat("q", 1000))); err != nil {
				t.Fatal(err)
			}
			if held {
				u.mu.Lock()
			}
			u.Panic()
			u.Panic()
			if n, err := u.Write([]byte("panic")); n != 5 || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			u.Interrupt()
			u.tick()
			if err := u.Flush(); err != nil {
				t.Errorf("Flush: %v", err)
			}
			u.await(lsrTxEmpty)
			if got := c.sent(); got != strings.Repeat("q", 1000)+"panic" {
				t.Errorf("sent %q", got)
			}
		})
	}
	// A damaged queue ends, too.
	c := newChip()
	u := &UART{Ports: c, Base: base}
	u.tx.head = 1 << 31
	u.Panic()
	if n := len(c.sent()); n == 0 || n > ringSize*fifoDepth {
		t.Errorf("sent %d bytes", n)
	}
}

// TestPanicWriters panics in the middle of things.
func TestPanicWriters(t *testing.T) {
	c := newChip()
	u := start(t, c)
	for range 4 {
		go func() {
			for range 50 {
				_, _ = u.Write([]byte("0123456789"))
			}
		}()
	}
	time.Sleep(time.Millisecond)
	u.Panic()
	if n := u.WritePolled([]byte("<panic>")); n != 7 {
		t.Errorf("WritePolled = %d", n)
	}
}

func TestRing(t *testing.T) {
	var r ring
	r.head, r.tail = ^uint32(0)-5, ^uint32(0)-5 // wraps soon
	p := bytes.Repeat([]byte("abc"), ringSize)
	if n := r.put(p); n != ringSize || !r.full() || r.put(p) != 0 {
		t.Fatalf("put %d", n)
	}
	for i := range ringSize {
		if c := r.get(); c != p[i] {
			t.Fatalf("byte %d is %q", i, c)
		}
	}
	if r.len() != 0 {
		t.Errorf("%d left", r.len())
	}
}
