package tty

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

func newDisc(change func(*Termios)) *disc {
	t := Default()
	if change != nil {
		change(&t)
	}
	d := new(disc)
	d.init(t)
	return d
}

func (d *disc) takeAll() string {
	b := make([]byte, outSize+maxUrgent)
	return string(b[:d.take(b)])
}

func (d *disc) readAll() string {
	b := make([]byte, inSize)
	return string(b[:d.read(b)])
}

func TestSignals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Termios)
		in     string
		want   signalSet
		shown  string
		left   string
	}{
		{"interrupt", nil, "ab\x03c\n", sigInt, "^Cc\r\n", "c\n"},
		{"quit", nil, "\x1c", sigQuit, "^\\", ""},
		{"stop", nil, "\x1a", sigStop, "^Z", ""},
		{"all", nil, "\x03\x1c\x1a\n", sigInt | sigQuit | sigStop, "^Z\r\n", "\n"},
		{"kept", func(t *Termios) { t.Lflag |= noflsh }, "ab\x03c\n", sigInt, "ab^Cc\r\n", "abc\n"},
		{"off", func(t *Termios) { t.Lflag &^= isig }, "\x03\n", 0, "^C\r\n", "\x03\n"},
		{"other", func(t *Termios) { t.CC[vintr] = 'x' }, "\x03x", sigInt, "x", ""},
		{"none", func(t *Termios) { t.CC[vintr] = disabled }, "\x00\x03\n", 0, "^@^C\r\n", "\x00\x03\n"},
		{"literal", nil, "\x16\x03\n", 0, "^\b^C\r\n", "\x03\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisc(tt.change)
			d.receive([]byte(tt.in))
			if d.signals != tt.want {
				t.Errorf("signals %b, want %b", d.signals, tt.want)
			}
			if got := d.takeAll(); got != tt.shown {
				t.Errorf("shows %q, want %q", got, tt.shown)
			}
			if got := d.readAll(); got != tt.left {
				t.Errorf("reads %q, want %q", got, tt.left)
			}
		})
	}
}

// TestErrors is about what the line does wrong, which no pseudo terminal does.
func TestErrors(t *testing.T) {
	raw := func(on, off uint32) func(*Termios) {
		return func(t *Termios) {
			t.Lflag = 0
			t.Iflag = on
		}
	}
	tests := []struct {
		name   string
		change func(*Termios)
		want   string
		sig    signalSet
	}{
		{"plain", raw(0, 0), "a\x00cd", 0},
		{"checked", raw(inpck, 0), "a\x00\x00d", 0},
		{"ignored", raw(ignbrk|inpck|ignpar, 0), "ad", 0},
		{"marked", raw(parmrk|inpck, 0), "a\xff\x00\x00\xff\x00cd", 0},
		{"interrupt", raw(brkint, 0), "cd", sigInt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisc(tt.change)
			d.receive([]byte("a"))
			d.receiveBreak()
			d.receiveBad('c')
			d.receive([]byte("d"))
			if got := d.readAll(); got != tt.want || d.signals != tt.sig {
				t.Errorf("got %q and signals %b, want %q and %b", got, d.signals, tt.want, tt.sig)
			}
		})
	}
}

func TestThrottle(t *testing.T) {
	d := newDisc(func(t *Termios) { t.Iflag, t.Lflag = ixoff, 0 })
	d.receive(bytes.Repeat([]byte("a"), highMark))
	d.throttle()
	if got := d.takeAll(); got != "" {
		t.Errorf("below the mark: sends %q", got)
	}
	d.receive([]byte("a"))
	d.halt() // doesn't hold flow control back
	d.throttle()
	d.throttle()
	if got := d.takeAll(); got != "\x13" {
		t.Errorf("above the mark: sends %q", got)
	}
	d.read(make([]byte, 1000))
	d.throttle()
	if got := d.takeAll(); got != "" {
		t.Errorf("half full: sends %q", got)
	}
	d.readAll()
	d.throttle()
	if got := d.takeAll(); got != "\x11" {
		t.Errorf("empty: sends %q", got)
	}

	d = newDisc(func(t *Termios) { t.Iflag, t.Lflag = ixoff, icanon })
	d.receive(bytes.Repeat([]byte("a"), 5000))
	d.throttle()
	if got := d.takeAll(); got != "" {
		t.Errorf("in a line: sends %q", got)
	}
}

func TestFull(t *testing.T) {
	t.Run("raw", func(t *testing.T) {
		d := newDisc(func(t *Termios) { t.Lflag, t.Iflag = 0, 0 })
		if n := d.receive(make([]byte, 5000)); n != inSize-1 {
			t.Errorf("took %d", n)
		}
		d.read(make([]byte, 10))
		if n := d.receive(make([]byte, 5000)); n != 10 {
			t.Errorf("took %d after a read of 10", n)
		}
	})
	t.Run("lines", func(t *testing.T) {
		d := newDisc(nil)
		in := strings.Repeat("123456789\n", 500)
		n := d.receive([]byte(in))
		if n != inSize-1 {
			t.Errorf("took %d", n)
		}
		if got := d.readAll(); got != "123456789\n" {
			t.Errorf("reads %q", got)
		}
		if m := d.receive([]byte(in[n:])); m != 10 {
			t.Errorf("took %d after a read of 10", m)
		}
	})
	t.Run("output", func(t *testing.T) {
		d := newDisc(func(t *Termios) { t.Oflag |= xtabs })
		tabs := bytes.Repeat([]byte("\t"), writeStep)
		written := 0
		for d.room() > 0 {
			n := d.room()
			d.write(tabs[:n])
			written += n
		}
		// Echoes may be lost, output never.
		d.receive(bytes.Repeat([]byte("\n"), 2*inSize))
		if n := strings.Count(d.takeAll(), " "); n != 8*written {
			t.Errorf("%d blanks of %d tabs", n, written)
		}
	})
	t.Run("echo before output", func(t *testing.T) {
		d := newDisc(func(t *Termios) { t.Oflag |= xtabs })
		for range 8 {
			d.receive(bytes.Repeat([]byte("a\x15"), 2000))
		}
		d.out.take(make([]byte, d.out.len()-outLimit+1)) // as little room as there may be
		before := d.out.len()
		d.receive(bytes.Repeat([]byte("a\x15"), 2000)) // between room and write
		d.write(bytes.Repeat([]byte("\t"), writeStep))
		got := d.takeAll()
		if !strings.HasSuffix(got, strings.Repeat(" ", 8*(writeStep-1)+1)) || len(got) < before {
			t.Errorf("output was lost: %d bytes", len(got))
		}
	})
}

// FuzzDisc looks for what must never happen, whatever comes.
func FuzzDisc(f *testing.F) {
	f.Add([]byte("\x0aabc\x7f\x09hello\n\x02\x01xyz"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDisc(nil)
		buf := make([]byte, 300)
		for len(b) > 2 {
			op, arg := b[0], b[1]
			b = b[2:]
			switch op % 10 {
			case 0:
				tm := d.t
				tm.Iflag ^= 1 << (arg % 16)
				d.setTermios(tm)
			case 1:
				tm := d.t
				tm.Lflag ^= 1 << (arg % 17)
				d.setTermios(tm)
			case 2:
				tm := d.t
				tm.Oflag ^= 1 << (arg % 16)
				d.setTermios(tm)
			case 3:
				tm := d.t
				tm.CC[arg%nccs] = b[0]
				d.setTermios(tm)
			case 4:
				d.take(buf[:arg])
			case 5:
				n := d.read(buf[:arg])
				if n > int(arg) {
					t.Fatalf("read %d of %d", n, arg)
				}
			case 6:
				d.write(b[:min(len(b), d.room(), int(arg))])
			case 7:
				d.receiveBreak()
				d.receiveBad(arg)
				d.throttle()
			case 8: // much at once
				in := bytes.Repeat(b[:min(len(b), 8)], 100*int(arg)/8)
				d.receive(in)
			default:
				n := min(len(b), int(arg))
				d.receive(b[:n])
				b = b[n:]
			}
			d.check(t)
		}
		// All that was put in comes out, and then there is nothing.
		for i := 0; d.readable(1); i++ {
			d.read(buf)
			d.check(t)
			if i > inSize+1 {
				t.Fatal("reads don't come to an end")
			}
		}
		d.unhalt()
		d.start()
		d.takeAll()
		if d.takeable() {
			t.Fatal("output that can't be taken")
		}
	})
}

// check reports a state that can't be.
func (d *disc) check(t *testing.T) {
	t.Helper()
	q := &d.in
	if n := q.len(); n < 0 || n > inSize || int(q.canon-q.tail) > n {
		t.Fatalf("input queue: tail %d, canon %d, head %d", q.tail, q.canon, q.head)
	}
	if n := d.out.len(); n < 0 || n > outSize {
		t.Fatalf("output queue: %d bytes", n)
	}
	if d.column < 0 || d.lineColumn < 0 {
		t.Fatalf("columns %d and %d", d.column, d.lineColumn)
	}
	if len(d.urgent) > maxUrgent {
		t.Fatalf("%d urgent characters", len(d.urgent))
	}
}

func TestTermios(t *testing.T) {
	t.Run("forms", func(t *testing.T) {
		tm := Default()
		tm.Iflag |= 0x12340000
		tm.CC[16], tm.CC[7] = 99, 98
		var b [termios2Size]byte
		tm.put(b[:])
		var got Termios
		got.get(b[:])
		if got != tm {
			t.Errorf("termios2: %+v, want %+v", got, tm)
		}
		tm.putOld(b[:termioSize])
		got = tm
		got.CC[0], got.Iflag = 1, 0x12340000
		if got.getOld(b[:]); got != tm {
			t.Errorf("termio: %+v, want %+v", got, tm)
		}
	})
	tests := []struct {
		cflag, in, out uint32
		wantI, wantO   uint32
	}{
		{b38400, 1, 2, 38400, 38400},
		{0x1002, 0, 0, 115200, 115200},
		{0x100f, 0, 0, 4000000, 4000000},
		{bother, 123, 456, 456, 456},
		{bother | bother<<ibshift, 123, 456, 123, 456},
		{0xd | 0xb<<ibshift, 0, 0, 2400, 9600},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("speed %#x", tt.cflag), func(t *testing.T) {
			tm := Termios{Cflag: tt.cflag}
			if tm.setSpeeds(tt.in, tt.out); tm.Ispeed != tt.wantI || tm.Ospeed != tt.wantO {
				t.Errorf("%d and %d, want %d and %d", tm.Ispeed, tm.Ospeed, tt.wantI, tt.wantO)
			}
		})
	}
}

func TestCharges(t *testing.T) {
	if n := unsafe.Sizeof(Console{}); n > ttyBytes {
		t.Errorf("a console has %d bytes, and is charged %d", n, ttyBytes)
	}
	if n := unsafe.Sizeof(Pty{}); n > ptyBytes {
		t.Errorf("a pseudo terminal has %d bytes, and is charged %d", n, ptyBytes)
	}
}
