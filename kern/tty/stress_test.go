package tty

import (
	"math/rand"
	"testing"

	"mult/kern/abi"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// TestStress does everything at once, on the two sides of a pseudo terminal
// and on a console. It looks for races, for panics, and for what is left over.
func TestStress(t *testing.T) {
	w := newWorld(t)
	in, c, _ := w.console("a")
	steps := 3000
	if testing.Short() {
		steps = 300
	}
	cmds := []uint32{tcgets, tcsets, tcsetsw, tcsetsf, tcgeta, tcseta, tcsbrk, tcxonc, tcflsh, tiocexcl, tiocnxcl,
		tiocsctty, tiocgpgrp, tiocspgrp, tiocoutq, tiocsti, tiocgwinsz, tiocswinsz, fionread, tiocpkt, tiocnotty,
		tiocgsid, tcgets2, tcsets2, tiocgptn, tiocsig, tiocvhup, tiocgpkt, tiocgptlck, tiocgetd, tiocsetd}
	w.boot(in, func(init *thread) {
		m, s, p := init.pty()
		con := init.open(&c.TTY, rdwr|abi.O_NONBLOCK|abi.O_NOCTTY)
		for _, f := range []*file.File{m, s} {
			f.SetFlags(init.Thread, abi.O_NONBLOCK)
		}
		play := func(th *thread, seed int64) {
			rnd := rand.New(rand.NewSource(seed))
			th.ignore(proc.SIGHUP, proc.SIGINT, proc.SIGQUIT, proc.SIGTSTP, proc.SIGTTIN, proc.SIGTTOU)
			th.Setsid()
			th.arg(nil)
			b := make([]byte, 600)
			for range steps {
				f := []*file.File{m, s, con}[rnd.Intn(3)]
				u := vm.KernelUio(b[:rnd.Intn(len(b))])
				rnd.Read(b[:20])
				switch rnd.Intn(6) {
				case 0, 1:
					f.Write(th.Thread, u)
				case 2:
					f.Read(th.Thread, u)
				case 3:
					f.Poll()
					c.Input(b[:5])
				case 4:
					// A slave that may be the controlling terminal.
					if impl, err := p.Open(th.Thread, rdwr); err == nil {
						impl.Release(nil)
					}
				default:
					a := th.mem + vm.Addr(rnd.Intn(3000))
					if rnd.Intn(2) == 0 {
						a = vm.Addr(rnd.Intn(5))
					}
					cmd := cmds[rnd.Intn(len(cmds))]
					if f == con && (cmd == tcsetsw || cmd == tcsetsf || cmd == tcsbrk) {
						break // may wait for ever, when output is stopped
					}
					f.Ioctl(th.Thread, cmd, a)
				}
				th.call(func() error { return nil })
			}
		}
		var pids []int
		for i := range 4 {
			pids = append(pids, init.fork(func(th *thread) { play(th, int64(i)) }))
		}
		for _, pid := range pids {
			init.wait(pid)
		}
		con.Release()
		s.Release()
		m.Release()
	})
	c.Close()
	w.end(in)
}
