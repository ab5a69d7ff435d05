package tty

import (
	"bytes"
	"math/rand"
	"testing"
	"unsafe"
)

// TestHostTermios compares what becomes of settings.
func TestHostTermios(t *testing.T) {
	in2(t, func(th *thread) {
		m, s, _ := th.pty()
		h := openHost(t)
		rnd := rand.New(rand.NewSource(1))
		b := make([]byte, termios2Size)
		for i := range 500 {
			cmd := []uint32{tcsets, tcsetsw, tcsetsf, tcsets2, tcsetsw2, tcsetsf2, tcseta, tcsetaw, tcsetaf}[rnd.Intn(9)]
			get := []uint32{tcgets, tcgets2, tcgeta}[rnd.Intn(3)]
			rnd.Read(b)
			ours, theirs := bytes.Clone(b), bytes.Clone(b)
			th.want("set", th.ioctl(s, cmd, ours), nil)
			if err := hostIoctl(h.slave, uintptr(cmd), unsafe.Pointer(&theirs[0])); err != nil {
				t.Error(err)
			}
			clear(ours)
			clear(theirs)
			th.want("get", th.ioctl(s, get, ours), nil)
			if err := hostIoctl(h.slave, uintptr(get), unsafe.Pointer(&theirs[0])); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(ours, theirs) {
				t.Errorf("%d: set %#x of %x, get %#x:\n%x\nLinux:\n%x", i, cmd, b, get, ours, theirs)
				break
			}
		}
		h.close()
		s.Release()
		m.Release()
	})
}
