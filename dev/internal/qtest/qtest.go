//go:build !tamago

// Package qtest gives host tests the device models of a real QEMU: it starts
// a machine, lets its firmware run, and then reads and writes ports and
// memory from the test process over QEMU's qtest protocol. A driver whose
// hardware sits behind an interface is so tested against the registers it
// will meet, without a kernel.
//
// The machine runs a guest of a few bytes that notes its start information
// and halts, so devices are left to the test. Only tests import this package.
package qtest

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	program = "qemu-system-x86_64"
	limit   = 60 * time.Second // for anything to happen
)

// IRQ is a change of an interrupt controller's input.
type IRQ struct {
	Line int
	High bool
}

// Machine is a running QEMU. Its port and memory methods may be used from
// several goroutines; they fail the test if QEMU has gone, unless Gone was
// called to say that this is expected.
type Machine struct {
	Serial net.Conn // the other end of the first serial port
	IRQs   chan IRQ // changes, after Intercept; dropped when nobody reads

	t     testing.TB
	cmd   *exec.Cmd
	done  chan struct{} // closed when QEMU has ended
	mu    sync.Mutex    // one qtest command at a time; guards q and gone
	q     net.Conn
	reply chan string
	gone  bool
	qmpMu sync.Mutex // one QMP command at a time
	qmp   net.Conn
	qmpIn *json.Decoder
}

// Start runs QEMU with the given machine arguments and returns when its
// firmware has started the guest. It skips the test in short mode and where
// QEMU is missing.
func Start(t testing.TB, args ...string) *Machine {
	t.Helper()
	if testing.Short() {
		t.Skip("runs QEMU")
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("no " + program)
	}
	dir := t.TempDir()
	kernel := filepath.Join(dir, "guest")
	if err := os.WriteFile(kernel, guest(), 0o666); err != nil {
		t.Fatal(err)
	}
	m := &Machine{
		t:     t,
		done:  make(chan struct{}),
		reply: make(chan string, 1),
		IRQs:  make(chan IRQ, 4096),
	}
	var socks []net.Listener
	for _, name := range []string{"qtest", "qmp", "serial"} {
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		socks = append(socks, l)
		args = append(args, "-"+name, "unix:"+l.Addr().String())
	}
	args = append(args, "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none",
		"-no-user-config", "-qtest-log", "none", "-kernel", kernel)
	m.cmd = exec.Command(program, args...)
	m.cmd.Stderr = os.Stderr
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait()
		close(m.done)
	}()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-m.done
	})
	m.q, m.qmp, m.Serial = m.accept(socks[0]), m.accept(socks[1]), m.accept(socks[2])
	go m.receive()
	m.qmpIn = json.NewDecoder(m.qmp)
	var greeting any
	if err := m.qmpIn.Decode(&greeting); err != nil {
		t.Fatal(err)
	}
	m.QMP("qmp_capabilities")
	m.WaitGuest()
	return m
}

// WaitGuest waits until firmware has started the guest.
func (m *Machine) WaitGuest() {
	m.t.Helper()
	for end := time.Now().Add(limit); m.StartInfo() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatal("the firmware didn't start the guest")
		}
	}
}

// ForgetGuest makes WaitGuest wait for the next start.
func (m *Machine) ForgetGuest() { m.Write32(guestNote, 0) }

func (m *Machine) accept(l net.Listener) net.Conn {
	m.t.Helper()
	_ = l.(*net.UnixListener).SetDeadline(time.Now().Add(limit))
	c, err := l.Accept()
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	return c
}

// StartInfo returns the address of the PVH start information, 0 while the
// guest has not run.
func (m *Machine) StartInfo() uint64 { return uint64(m.Read32(guestNote)) }

// Gone says that QEMU may end from now on; port and memory reads then give
// all ones.
func (m *Machine) Gone() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
}

// Wait waits for QEMU to end by itself.
func (m *Machine) Wait() error {
	select {
	case <-m.done:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s still runs", program)
	}
}

// Intercept takes the inputs of the interrupt controller with QOM name
// device away from it; their changes go to IRQs.
func (m *Machine) Intercept(device string) { m.do("irq_intercept_in %s", device) }

// QMP runs a command without arguments and returns the events that came
// before its answer.
func (m *Machine) QMP(command string) (events []string) {
	m.t.Helper()
	m.qmpMu.Lock()
	defer m.qmpMu.Unlock()
	_ = m.qmp.SetDeadline(time.Now().Add(limit))
	if _, err := fmt.Fprintf(m.qmp, "{\"execute\":%q}\n", command); err != nil {
		m.t.Fatal(err)
	}
	for {
		var answer map[string]any
		if err := m.qmpIn.Decode(&answer); err != nil {
			m.t.Fatal(err)
		}
		if e, ok := answer["event"].(string); ok {
			events = append(events, e)
		}
		if e, ok := answer["error"]; ok {
			m.t.Fatalf("%s: %v", command, e)
		}
		if _, ok := answer["return"]; ok {
			return events
		}
	}
}

// receive sorts what QEMU says into answers and interrupts.
func (m *Machine) receive() {
	defer close(m.reply)
	in := bufio.NewScanner(m.q)
	in.Buffer(nil, 64<<20) // Bytes of all memory, in hex
	for in.Scan() {
		var irq IRQ
		line := in.Text()
		switch f := strings.Fields(line); {
		case len(f) == 3 && f[0] == "IRQ":
			irq.Line, _ = strconv.Atoi(f[2])
			irq.High = f[1] == "raise"
			select {
			case m.IRQs <- irq:
			default:
			}
		default:
			m.reply <- line
		}
	}
}

// do runs a qtest command and returns what follows OK.
func (m *Machine) do(format string, args ...any) string {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := fmt.Fprintf(m.q, format+"\n", args...)
	if err == nil {
		select {
		case line, ok := <-m.reply:
			if answer, found := strings.CutPrefix(line, "OK"); ok && found {
				return strings.TrimSpace(answer)
			}
			err = fmt.Errorf("QEMU answers %q", line)
		case <-time.After(limit):
			err = errors.New("no answer")
		}
	}
	if !m.gone {
		m.t.Errorf(format+": %v", append(args, err)...)
	}
	return "0xffffffffffffffff"
}

func (m *Machine) get(format string, args ...any) uint64 {
	m.t.Helper()
	v, err := strconv.ParseUint(m.do(format, args...), 0, 64)
	if err != nil {
		m.t.Errorf(format+": %v", append(args, err)...)
	}
	return v
}

// Ports.

func (m *Machine) In8(port uint16) uint8   { return uint8(m.get("inb %#x", port)) }
func (m *Machine) In16(port uint16) uint16 { return uint16(m.get("inw %#x", port)) }
func (m *Machine) In32(port uint16) uint32 { return uint32(m.get("inl %#x", port)) }

func (m *Machine) Out8(port uint16, v uint8)   { m.do("outb %#x %#x", port, v) }
func (m *Machine) Out16(port uint16, v uint16) { m.do("outw %#x %#x", port, v) }
func (m *Machine) Out32(port uint16, v uint32) { m.do("outl %#x %#x", port, v) }

// Physical memory and registers in it.

func (m *Machine) Read8(pa uint64) uint8   { return uint8(m.get("readb %#x", pa)) }
func (m *Machine) Read16(pa uint64) uint16 { return uint16(m.get("readw %#x", pa)) }
func (m *Machine) Read32(pa uint64) uint32 { return uint32(m.get("readl %#x", pa)) }

func (m *Machine) Write8(pa uint64, v uint8)   { m.do("writeb %#x %#x", pa, v) }
func (m *Machine) Write16(pa uint64, v uint16) { m.do("writew %#x %#x", pa, v) }
func (m *Machine) Write32(pa uint64, v uint32) { m.do("writel %#x %#x", pa, v) }

// Bytes returns a copy of n bytes at pa.
func (m *Machine) Bytes(pa uint64, n int) []byte {
	if n <= 0 {
		return nil
	}
	b, err := hex.DecodeString(strings.TrimPrefix(m.do("read %#x %#x", pa, n), "0x"))
	if err != nil {
		return nil
	}
	return b
}
