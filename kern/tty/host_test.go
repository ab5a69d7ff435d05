package tty

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// The line discipline against that of the host's Linux: the same settings,
// input and output to both, then what the line shows and what readers get is
// compared.

// hostPty is a pseudo terminal of the host. Nobody's controlling terminal, so
// no signals arise.
type hostPty struct {
	master, slave int
	shown         []byte // output that has come up to now
}

func hostIoctl(fd int, cmd uintptr, arg unsafe.Pointer) error {
	for {
		_, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), cmd, uintptr(arg))
		switch e {
		case 0:
			return nil
		case syscall.EINTR:
			continue
		}
		return e
	}
}

func openHost(t testing.TB) *hostPty {
	if runtime.GOOS != "linux" {
		t.Skip("the host is not Linux")
	}
	m, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no pseudo terminals on the host: ", err)
	}
	var n, lock int32
	if err := hostIoctl(m, 0x80045430, unsafe.Pointer(&n)); err != nil { // TIOCGPTN
		t.Fatal(err)
	}
	if err := hostIoctl(m, 0x40045431, unsafe.Pointer(&lock)); err != nil { // TIOCSPTLCK
		t.Fatal(err)
	}
	s, err := syscall.Open(fmt.Sprintf("/dev/pts/%d", n), syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &hostPty{master: m, slave: s}
}

func (h *hostPty) close() {
	syscall.Close(h.slave)
	syscall.Close(h.master)
}

func (h *hostPty) setTermios(t testing.TB, tm Termios) {
	var b [termiosSize]byte
	tm.put(b[:])
	if err := hostIoctl(h.slave, tcsets, unsafe.Pointer(&b)); err != nil {
		t.Fatal(err)
	}
}

func (h *hostPty) termios(t testing.TB) (tm Termios) {
	var b [termiosSize]byte
	if err := hostIoctl(h.slave, tcgets, unsafe.Pointer(&b)); err != nil {
		t.Fatal(err)
	}
	tm.get(b[:])
	return tm
}

// drain collects what the line shows.
func (h *hostPty) drain() {
	var b [4096]byte
	for {
		n, err := syscall.Read(h.master, b[:])
		if err == syscall.EINTR {
			continue // the Go runtime's own signals
		}
		if err != nil || n <= 0 {
			return
		}
		h.shown = append(h.shown, b[:n]...)
	}
}

// settle asks whether there is something to read. If there is nothing, it has
// waited until all input has been handled, as poll looks twice then.
func (h *hostPty) settle(t testing.TB) (ready bool) {
	p := struct {
		fd              int32
		events, revents int16
	}{int32(h.slave), 1, 0}
	for {
		var now syscall.Timespec
		_, _, e := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		switch e {
		case 0:
			return p.revents&1 != 0
		case syscall.EINTR:
			continue
		}
		t.Fatal(e)
	}
}

func (h *hostPty) available(t testing.TB) int {
	var n int32
	if err := hostIoctl(h.slave, fionread, unsafe.Pointer(&n)); err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// read returns what one read gives and its errno.
func (h *hostPty) read(n int) string {
	b := make([]byte, n)
	n, err := syscall.Read(h.slave, b)
	for err == syscall.EINTR {
		n, err = syscall.Read(h.slave, b)
	}
	if err != nil {
		return err.(syscall.Errno).Error()
	}
	return fmt.Sprintf("%q", b[:n])
}

// A step is one thing that is done to both terminals.
type step struct {
	in   string         // from the line
	out  string         // from a program
	read int            // by a program, at most
	set  func(*Termios) // new settings
	flow string         // "stop", "start": TCXONC; "flush": TCIFLUSH
}

func (s step) String() string {
	switch {
	case len(s.in) > 200:
		return fmt.Sprintf("in %d bytes", len(s.in))
	case s.in != "":
		return fmt.Sprintf("in %q", s.in)
	case s.out != "":
		return fmt.Sprintf("out %q", s.out)
	case s.read != 0:
		return fmt.Sprintf("read %d", s.read)
	case s.set != nil:
		return "set"
	}
	return s.flow
}

// difference is how the two kinds of terminal differ.
type difference string

// compare runs the steps on a fresh terminal of each kind. What a reader of Linux
// gets depends on when it comes: between the end of a line and a character behind it
// that drops the line it may have it or not. So only what differs each time counts.
func compare(t testing.TB, steps []step) {
	t.Helper()
	var d difference
	for range 4 {
		if d = compareOnce(t, steps); d == "" {
			return
		}
	}
	t.Fatal(d)
}

func compareOnce(t testing.TB, steps []step) (diff difference) {
	t.Helper()
	h := openHost(t)
	defer h.close()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case difference:
			diff = r
		default:
			panic(r)
		}
	}()
	differ := func(format string, args ...any) { panic(difference(fmt.Sprintf(format, args...))) }
	var d disc
	d.init(Default())
	h.setTermios(t, d.t)
	d.t = h.termios(t)
	var shown []byte
	history := func() string {
		var b strings.Builder
		for _, s := range steps {
			fmt.Fprintf(&b, "%v; ", s)
		}
		return b.String()
	}
	// readAll reads what is left. A read that finds nothing has waited until
	// Linux has handled all input.
	readAll := func(when string) {
		var got, want []string
		for range 2 * inSize {
			var b [100]byte
			linux := h.read(len(b))
			if linux == syscall.EAGAIN.Error() || !d.t.lines() && linux == `""` {
				break
			}
			want = append(want, linux)
		}
		for d.readable(1) {
			var b [100]byte
			got = append(got, fmt.Sprintf("%q", b[:d.read(b[:])]))
		}
		sep := "|"
		if !d.t.lines() { // reads give what is there at the time
			sep = ""
		}
		join := func(s []string) string { return strings.ReplaceAll(strings.Join(s, sep), `""`, "") }
		if join(got) != join(want) {
			differ("%s: got %s, Linux %s\nof %s\nwith %+v", when, got, want, history(), d.t)
		}
	}
	for i, s := range steps {
		switch {
		case s.in != "":
			if !d.t.lflag(echo) && d.readable(1) { // see below
				readAll(fmt.Sprintf("before step %d, %v", i, s))
			}
			for in := []byte(s.in); len(in) > 0; {
				n, err := syscall.Write(h.master, in)
				if err == syscall.EINTR {
					continue
				}
				if err != nil {
					t.Fatalf("step %d, %v: %v", i, s, err)
				}
				in = in[n:]
			}
			d.receive([]byte(s.in))
		case s.out != "":
			n, err := syscall.Write(h.slave, []byte(s.out))
			if err == syscall.EAGAIN { // stopped
				n = 0
			} else if err != nil {
				t.Fatalf("step %d, %v: %v", i, s, err)
			}
			d.write([]byte(s.out)[:min(n, d.room())])
		case s.read != 0:
			var got string
			if b := make([]byte, s.read); d.readable(1) {
				got = fmt.Sprintf("%q", b[:d.read(b)])
			} else if d.t.lines() || d.t.CC[vmin] > 0 {
				got = syscall.EAGAIN.Error()
			} else {
				got = `""`
			}
			if want := h.read(s.read); got != want {
				differ("step %d, %v: got %s, Linux %s\nof %s\nwith %+v", i, s, got, want, history(), d.t)
			}
		case s.set != nil:
			tm := d.t
			s.set(&tm)
			h.setTermios(t, tm)
			d.setTermios(h.termios(t))
		case s.flow == "flush":
			if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(h.slave), tcflsh, 0); e != 0 {
				t.Fatal(e)
			}
			d.flushInput()
		default:
			arg := uintptr(0) // TCOOFF
			if s.flow == "start" {
				arg = 1
				d.unhalt()
			} else {
				d.halt()
			}
			if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(h.slave), tcxonc, arg); e != 0 {
				t.Fatal(e)
			}
		}
		if s.in != "" && !d.takeable() { // nothing shows when Linux has handled it
			if d.readable(1) {
				readAll(fmt.Sprintf("step %d, %v", i, s))
			}
			h.settle(t)
		}
		var b [outSize]byte
		for d.takeable() {
			shown = append(shown, b[:d.take(b[:])]...)
		}
		if s.flow == "start" {
			continue // Linux shows what was echoed meanwhile with the next echo
		}
		// Linux works on its own time. What is compared in the end doesn't
		// depend on how long this waits, unless the two differ.
		same := func() bool {
			h.drain()
			// Of a full buffer Linux counts an end of file, too.
			return bytes.Equal(h.shown, shown) && (h.available(t) == d.available() || d.in.len() == inSize) &&
				h.settle(t) == d.ready()
		}
		for end := time.Now().Add(time.Second); !same(); time.Sleep(50 * time.Microsecond) {
			if time.Now().After(end) {
				differ("step %d, %v:\nshows %q, %d to read\nLinux %q, %d to read\nof %s\nwith %+v",
					i, s, shown, d.available(), h.shown, h.available(t), history(), d.t)
			}
		}
	}
	readAll("in the end")
	if h.drain(); !bytes.Equal(h.shown, shown) {
		differ("in the end:\nshows %q\nLinux %q\nof %s\nwith %+v", shown, h.shown, history(), d.t)
	}
	return ""
}

// Changes of settings, for tables.

func lflags(on, off uint32) step {
	return step{set: func(t *Termios) { t.Lflag = t.Lflag&^off | on }}
}

func iflags(on, off uint32) step {
	return step{set: func(t *Termios) { t.Iflag = t.Iflag&^off | on }}
}

func oflags(on, off uint32) step {
	return step{set: func(t *Termios) { t.Oflag = t.Oflag&^off | on }}
}

func cc(i int, c byte) step { return step{set: func(t *Termios) { t.CC[i] = c }} }

func in(s string) step  { return step{in: s} }
func out(s string) step { return step{out: s} }
func read(n int) step   { return step{read: n} }

var hostTests = []struct {
	name  string
	steps []step
}{
	{"line", []step{in("hello\r"), read(100), read(100)}},
	{"line in parts", []step{in("hel"), read(100), in("lo\n"), read(3), read(2), read(100), read(1)}},
	{"two lines", []step{in("one\ntwo\nthr"), read(100), read(2), read(100), read(5), in("ee\n"), read(9)}},
	{"erase", []step{in("abc\x7f\x7fd\x7f\x7f\x7fxy\n"), read(100)}},
	{"erase control", []step{in("a\x01\x02\x7f\x7f\x7f\n"), read(100)}},
	{"erase control unseen", []step{lflags(0, echoctl), in("a\x01\x02\x7f\x7fb\n"), read(100)}},
	{"erase tab", []step{out("$ "), in("ab\tc\x7f\x7f\x7fq\n"), read(100)}},
	{"erase tab after tab", []step{in("ab\tcd\t\x7fz\t\x01\t\x7f\x7f\x7f\x7f\n"), read(100)}},
	{"erase tab after output", []step{out("prompt: "), in("\t\x7f"), in("\t\t\x7f\x7fx\n"), read(9)}},
	{"erase utf8", []step{iflags(iutf8, 0), in("aä€😀\x7f\x7f\x7f\x7f\x7f\n"), read(100)}},
	{"erase utf8 tab", []step{iflags(iutf8, 0), in("äö\t\x7f\x7fb\n"), read(100)}},
	{"erase half utf8", []step{iflags(iutf8, 0), in("\x80\x80\x7fb\x7f\x7f\n"), read(100)}},
	{"erase latin1", []step{in("aä\x7f\x7f\x7f\n"), read(100)}},
	{"erase without ECHOE", []step{lflags(0, echoe), in("abc\x7f\x7f\x7f\x7f\n"), read(100)}},
	{"erase ECHOPRT", []step{lflags(echoprt, 0), in("abc\x7f\x7fde\x7f\x7f\x7f\x7fz\x7f\n"), read(100)}},
	{"erase ECHOPRT utf8", []step{lflags(echoprt, 0), iflags(iutf8, 0), in("aä€\x7f\x7fx\n"), read(100)}},
	{"word", []step{in("one two_3  four..\x17\x17x\x17\x17\x17\n"), read(100)}},
	{"word latin1", []step{in("a \xe4\xf6-\xd7\xfc\x17\x17\n"), read(100)}},
	{"word utf8", []step{iflags(iutf8, 0), in("eins zwölf\x17\n"), read(100)}},
	{"word without IEXTEN", []step{lflags(0, iexten), in("a b\x17c\x16\x12\n"), read(100)}},
	{"kill", []step{in("one two\x15three\x15\x15\n"), read(100)}},
	{"kill tab", []step{out("> "), in("a\tb\t\x15x\n"), read(100)}},
	{"kill ECHOK only", []step{lflags(0, echoke), in("one\x15two\n"), read(100)}},
	{"kill nothing", []step{lflags(0, echoke|echok), in("one\x15two\n"), read(100)}},
	{"kill without echo", []step{lflags(0, echo), in("one\x15two\n"), read(100)}},
	{"kill without ECHOE", []step{lflags(0, echoe), in("one\x15two\n"), read(100)}},
	{"kill is werase", []step{cc(vkill, 0x17), in("one two\x17\n"), lflags(0, iexten), in("a b\x17\n")}},
	{"literal", []step{in("a\x16\x03\x16\x7f\x16\n\x16\x16\x16\rb\n"), read(100)}},
	{"literal shown plain", []step{lflags(0, echoctl), in("a\x16\x03b\n"), read(100)}},
	{"literal at the end", []step{in("a\x16"), in("\x04\n"), read(100)}},
	{"literal and IUCLC", []step{iflags(iuclc|istrip, 0), in("A\x16B\xc1\x16\xc2\n"), read(100)}},
	{"reprint", []step{in("one\x01\t\x12two\x12\n"), read(100)}},
	{"reprint after ECHOPRT", []step{lflags(echoprt, 0), in("one\x7f\x12x\n"), read(100)}},
	{"eof", []step{in("\x04"), read(100), read(100)}},
	{"eof after text", []step{in("abc\x04"), read(100), read(100)}},
	{"eof, read exactly", []step{in("abc\x04\x04"), read(3), read(100), read(100)}},
	{"eof, read in parts", []step{in("abcd\x04xy\n"), read(2), read(2), read(100)}},
	{"newline read exactly, eof", []step{in("abc\n\x04\n"), read(4), read(10), read(10)}},
	{"eofs", []step{in("\x04\x04a\x04\x04"), read(1), read(1), read(1), read(1), read(1)}},
	{"eol", []step{cc(veol, ';'), cc(veol2, '\xff'), in("a;b\xffc\n"), read(100), read(100), read(100)}},
	{"eol2 without IEXTEN", []step{cc(veol2, '!'), lflags(0, iexten), in("a!b\n"), read(100)}},
	{"eol without echo", []step{cc(veol, ';'), lflags(0, echo), in("a;"), read(100)}},
	{"nul", []step{in("a\x00b\n"), read(100)}},
	{"nul is no character", []step{cc(vintr, 0), in("a\x00\x03b\n"), read(100)}},
	{"ECHONL", []step{lflags(echonl, echo), in("secret\nx\x04"), read(100), read(10)}},
	{"no echo", []step{lflags(0, echo), in("se\x7fcret\x17a\n"), read(100)}},
	{"cr and nl", []step{in("a\rb\n"), iflags(0, icrnl), in("a\rb\n"), iflags(inlcr, 0), in("a\rb\n"),
		iflags(igncr, 0), in("a\rb\nc\r"), iflags(icrnl, inlcr), in("a\rb\n"), read(99), read(99), read(99), read(99)}},
	{"cr and nl swapped", []step{iflags(icrnl|inlcr, 0), in("a\nb\r"), read(99), read(99)}},
	{"ISTRIP", []step{iflags(istrip, 0), in("\xe1\xe2\x8a"), read(99)}},
	{"IUCLC", []step{iflags(iuclc, 0), in("HeLLo \xc4\xd7\n"), read(99), lflags(0, iexten), in("ABC\n"), read(9)}},
	{"OLCUC", []step{oflags(olcuc, 0), out("hello \xe4\xf7\xff\n"), in("abc\n"), read(9)}},
	{"interrupt", []step{in("abc"), in("\x03"), in("def\n"), read(9)}},
	{"interrupt in a chunk", []step{out("# "), in("a\tbc\x03\t\x7fdef\n"), read(9)}},
	{"interrupt drops lines", []step{in("abc\nde"), in("\x1c"), read(9), in("\n"), read(9)}},
	{"interrupt NOFLSH", []step{lflags(noflsh, 0), in("abc\nde"), in("\x1af\n"), read(9), read(9)}},
	{"interrupt without ISIG", []step{lflags(0, isig), in("a\x03\x1a\x1c\n"), read(9)}},
	{"interrupt, no echo", []step{lflags(0, echo), in("a"), in("\x03b\n"), read(9)}},
	{"interrupt keeps VLNEXT", []step{in("a\x16"), in("\x03"), in("\x03"), in("b\n"), read(9)}},
	{"stop", []step{in("a\x13b"), in("c\x11d\n"), read(9)}},
	{"stop, output waits", []step{in("\x13"), out("lost"), in("\x11"), out("here"), in("x\n")}},
	{"stop ends by interrupt", []step{in("\x13"), in("ab"), in("\x03"), in("c\n"), read(9)}},
	{"IXANY", []step{iflags(ixany, 0), in("\x13"), in("a"), in("\x13"), in("\n"), read(9)}},
	{"IXANY and interrupt", []step{iflags(ixany, 0), in("\x13"), in("\x03"), in("\x13"), in("\x7f")}},
	{"no IXON", []step{in("\x13ab"), iflags(0, ixon), in("\x13\x11\n"), read(9)}},
	{"start is stop", []step{cc(vstop, 0x11), in("a\x11b\n"), read(9)}},
	{"TCOOFF", []step{{flow: "stop"}, in("a\x11b"), {flow: "start"}, in("\n"), read(9)}},
	{"TCOOFF and interrupt", []step{{flow: "stop"}, in("a"), in("\x03"), {flow: "start"}, in("b\n"), read(9)}},
	{"TCOON after VSTOP", []step{in("\x13"), in("a"), {flow: "start"}, in("b\n"), in("\x11"), read(9)}},
	{"TCOOFF and no IXON", []step{{flow: "stop"}, in("a"), iflags(0, ixon), in("b"), {flow: "start"}, in("c\n"), read(9)}},
	{"TCIFLUSH", []step{in("ab\ncd"), {flow: "flush"}, in("e\n"), read(99)}},
	{"raw", []step{lflags(0, icanon|echo|isig), iflags(0, icrnl|ixon), in("a\r\n\x03\x00\xff\x7f"), read(3), read(100)}},
	{"cbreak", []step{lflags(0, icanon), in("a\r\x7f\x04\x17\x12\x16\x15b"), read(3), read(100)}},
	{"raw, then lines", []step{lflags(0, icanon), in("abc"), lflags(icanon, 0), in("d\n"), read(100), read(100)}},
	{"raw nul, then lines", []step{lflags(0, icanon), in("abc\x00"), lflags(icanon, 0), in("d\n"), read(100), read(100)}},
	{"lines, then raw", []step{in("abc\nde\x04f"), lflags(0, icanon), read(100), in("g"), read(100)}},
	{"lines, raw, lines", []step{in("ab\x04cd\nef"), lflags(0, icanon), lflags(icanon, 0), in("\x7f\n"), read(3), read(100), read(100)}},
	{"literal lost by raw", []step{in("a\x16"), lflags(0, icanon), in("\x03\x7f"), read(100)}},
	{"ECHOPRT lost by raw", []step{lflags(echoprt, 0), in("ab\x7f"), lflags(0, icanon), in("z"), read(100)}},
	{"EXTPROC", []step{lflags(extproc, 0), in("a\x7f\x03\nb"), read(2), read(100), lflags(0, extproc), in("c\n"), read(9)}},
	{"EXTPROC eof", []step{lflags(extproc, 0), in("\x04"), read(2), in("a\x04"), read(9), in("\x04b"), read(9)}},
	{"PARMRK", []step{iflags(parmrk, 0), in("a\xff\x16\xffb\n"), read(100)}},
	{"VMIN 0", []step{lflags(0, icanon), cc(vmin, 0), read(9), in("ab"), read(1), read(9), read(9)}},
	{"output", []step{out("a\nb\r\nc\td\x08e\x01\x7f\n")}},
	{"output tabs", []step{oflags(xtabs, 0), out("a\tbcdefgh\ti\t\n\t\x08\t\r\t\xe4\t|"), in("a\tb\n")}},
	{"output tabs utf8", []step{oflags(xtabs, 0), iflags(iutf8, 0), out("ä\t€\t|"), in("ä\t\n")}},
	{"output tabs, nl", []step{oflags(xtabs, onlcr), out("ab\ncd\t|\r\t|\n"), oflags(onlret, 0), out("ab\n\t|")}},
	{"OCRNL", []step{oflags(ocrnl, 0), out("ab\rc\r\n")}},
	{"OCRNL tabs", []step{oflags(ocrnl|xtabs, onlcr), out("ab\rc\t|\r\n"), oflags(onlret, 0), out("ab\rc\t|")}},
	{"ONOCR", []step{oflags(onocr, 0), out("\rab\r\r\ncd\n\r")}},
	{"ONOCR after echo", []step{oflags(onocr, 0), in("ab"), out("\r"), in("\x7f\x7f"), out("\r"), in("\x01"), out("\rx\r")}},
	{"ONLRET", []step{oflags(onlret|onocr, onlcr), out("ab\n\rcd\r")}},
	{"no OPOST", []step{oflags(xtabs, opost), out("a\tb\nc\r"), in("a\t\x7fb\n\x01"), oflags(opost, 0), out("\t|")}},
	{"canonical limit", []step{lflags(0, echo), in(strings.Repeat("a", 4090)), in("bcdefghijk"), in("\n"), read(5000)}},
	{"canonical limit and erase", []step{lflags(0, echo), in(strings.Repeat("a", 4096)), in("xyz"), in("\x7f\x7fb\n"), read(5000)}},
	{"canonical limit and kill", []step{lflags(0, echo), in(strings.Repeat("a", 4200)), in("\x15b\n"), read(5000)}},
	{"canonical limit and eof", []step{lflags(0, echo), in(strings.Repeat("a", 4200)), in("\x04"), read(5000), in("b\n"), read(9)}},
	{"canonical limit and literal", []step{lflags(0, echo), in(strings.Repeat("a", 4200)), in("\x16\nb"), in("\n"), read(5000)}},
	{"canonical limit and PARMRK", []step{lflags(0, echo), iflags(parmrk, 0), in(strings.Repeat("a", 4090)), in("bcdefghij\n"), read(5000)}},
	{"canonical limit shown", []step{in(strings.Repeat("a", 4000)), in(strings.Repeat("b", 100)), in("\x7f\x7f\x7f\n"), read(5000)}},
	{"IMAXBEL", []step{iflags(0x2000, 0), lflags(0, echo), in(strings.Repeat("a", 4200)), lflags(echo, 0), in("b"), in("\n"), read(5000)}},
}

func TestHost(t *testing.T) {
	for _, tt := range hostTests {
		t.Run(tt.name, func(t *testing.T) { compare(t, tt.steps) })
	}
}

// script makes steps of bytes, for random tests and fuzzing.
func script(b []byte) (steps []step) {
	next := func() byte {
		if len(b) == 0 {
			return 0
		}
		c := b[0]
		b = b[1:]
		return c
	}
	// Mostly characters that mean something, but not those that stop output:
	// what is stopped Linux echoes late, with settings and columns of then.
	const chars = "abc d_\t\t\x7f\x7f\x17\x15\x16\x12\x04\n\r;\x01\xff\xc3\xa4\x00\x1c\x1aA"
	text := func(n byte) string {
		var s strings.Builder
		for range n%12 + 1 {
			if c := next(); c < 224 {
				s.WriteByte(chars[int(c)%len(chars)])
			} else {
				c = next()
				if c == 0x13 || c == 0x11 {
					c = 'S'
				}
				s.WriteByte(c)
			}
		}
		return s.String()
	}
	for len(b) > 0 && len(steps) < 24 {
		switch n := next(); n % 16 {
		case 0:
			bit := uint32(1) << (next() % 15)
			if bit != ignbrk && bit != ixoff {
				steps = append(steps, step{set: func(t *Termios) { t.Iflag ^= bit }})
			}
		case 1:
			bit := []uint32{opost, olcuc, onlcr, ocrnl, onocr, onlret, xtabs}[next()%7]
			steps = append(steps, step{set: func(t *Termios) { t.Oflag ^= bit }})
		case 2:
			bit := []uint32{isig, icanon, echo, echoe, echok, echonl, noflsh, echoctl, echoprt, echoke, iexten, extproc}[next()%12]
			steps = append(steps, step{set: func(t *Termios) { t.Lflag ^= bit }})
		case 3:
			i, c := next()%nccs, next()
			if i != vtime && i != vstart && i != vstop {
				steps = append(steps, cc(int(i), chars[int(c)%len(chars)]))
			}
		case 4, 5:
			steps = append(steps, out(text(n/16)))
		case 6, 7, 8:
			steps = append(steps, read(int(n/16)+1))
		default:
			steps = append(steps, in(text(n/16)))
		}
	}
	return steps
}

// TestHostRandom compares the reactions to random steps, the same each time.
func TestHostRandom(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 100
	}
	for seed := range n {
		rnd := rand.New(rand.NewSource(int64(seed)))
		b := make([]byte, 20+rnd.Intn(200))
		rnd.Read(b)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { compare(t, script(b)) })
	}
}

func FuzzHost(f *testing.F) {
	if _, err := os.Stat("/dev/ptmx"); err != nil {
		f.Skip("no pseudo terminals on the host: ", err)
	}
	f.Add([]byte("\x09abcdefgh\x02\x01\x0aabc"))
	f.Fuzz(func(t *testing.T, b []byte) { compare(t, script(b)) })
}
