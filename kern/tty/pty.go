package tty

import (
	"strconv"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A Pty is a pseudo terminal: a terminal whose line is another open file, the
// master. What is written to the master is input, and the master reads output.
// It lives until both sides are closed.
type Pty struct {
	TTY
	ptys   *ptys  // [const] where it is listed
	Index  int    // [const] N of /dev/pts/N
	Serial uint64 // [const] never used twice in an instance, above 0
	UID    uint32 // [const] who made it

	mq      proc.Queue // what waits for the master
	locked  bool       // [TTY.mu] TIOCSPTLCK: the slave can't be opened
	used    bool       // [TTY.mu] the slave was opened some time
	closed  bool       // [TTY.mu] the master is
	packet  bool       // [TTY.mu] TIOCPKT
	status  byte       // [TTY.mu] that a master in packet mode has not read
	mreader gate       // [TTY.mu]
	mwriter gate       // [TTY.mu]
	left    []byte     // [TTY.mu] of mwbuf, input that was not taken yet
	mrbuf   [writeStep * 4]byte
	mwbuf   [writeStep]byte
}

// Status bytes of packet mode: TIOCPKT of ioctl_tty(2).
const (
	pktFlushRead  = 1
	pktFlushWrite = 2
	pktStop       = 4
	pktStart      = 8
	pktNoStop     = 16
	pktDoStop     = 32
	pktIoctl      = 64
)

// ptyBytes is what a pseudo terminal is charged.
const ptyBytes = ttyBytes + 2<<10

// Device numbers of pseudo terminals.
const (
	slaveMajor = 136
	ptmxMajor  = 5
	ptmxMinor  = 2
)

// OpenMaster opens /dev/ptmx: it makes a pseudo terminal of t's instance and
// returns what stands behind the open master. ENOSPC when there are too many.
func OpenMaster(t *proc.Thread) (file.Impl, *Pty, error) {
	in := t.Proc.Inst
	ps := slot.Of(in)
	switch in.ChargeWith(inst.Ptys, inst.Heap, ptyBytes) {
	case inst.Ptys:
		return nil, nil, errno.ENOSPC
	case inst.Heap:
		return nil, nil, errno.ENOMEM
	}
	p := &Pty{ptys: ps, locked: true, UID: t.Cred().FSUID}
	if !ps.add(p) {
		in.UnchargeWith(inst.Ptys, inst.Heap, ptyBytes)
		return nil, nil, errno.ENOSPC
	}
	return &master{p}, p, nil
}

// Unlock lets the slave be opened: TIOCSPTLCK.
func (p *Pty) Unlock() {
	p.mu.Lock()
	p.locked = false
	p.mu.Unlock()
}

// setup gives p its number, before anybody else can find it. ptys.mu is held.
func (p *Pty) setup(n int) {
	p.ptys.made++
	p.Index, p.Serial = n, p.ptys.made
	tm := Default()
	tm.Cflag &^= hupcl
	p.init(p.ptys.in, "/dev/pts/"+strconv.Itoa(n), abi.Mkdev(slaveMajor, uint32(n)), p, tm)
}

// openedLocked refuses to open the slave, or notes that it is open.
func (p *Pty) openedLocked() error {
	if p.closed || p.locked {
		return errno.EIO
	}
	p.used = true
	return nil
}

// slaveClosed follows the last close of the slave.
func (p *Pty) slaveClosed() {
	p.mu.Lock()
	p.mq.WakeAll()
	gone := p.closed && p.opens == 0
	p.mu.Unlock()
	if gone {
		p.ptys.remove(p)
	}
}

// hungLocked reports whether there was a slave and nobody has it open any more.
func (p *Pty) hungLocked() bool { return p.used && p.opens == 0 }

func (p *Pty) kick() { p.mq.WakeAll() }

// resume gives what was left of the master's last write to the terminal.
func (p *Pty) resume() {
	if len(p.left) > 0 {
		n := p.inputLocked(p.left)
		p.left = p.left[n:]
	}
	if len(p.left) == 0 {
		p.mq.WakeAll()
	}
}

func (p *Pty) flushed(status byte) {
	if !p.packet || status == 0 {
		return
	}
	// Of two opposites only the last counts.
	for _, pair := range [...]byte{pktStop | pktStart, pktNoStop | pktDoStop} {
		if status&pair != 0 {
			p.status &^= pair
		}
	}
	p.status |= status
	p.mq.WakeAll()
}

// pktMode returns how a change of settings shows in packet mode: whether the
// usual characters stop and start output, and whether EXTPROC is involved.
func pktMode(old, t *Termios) (status byte) {
	usual := func(t *Termios) bool {
		return t.iflag(ixon) && t.CC[vstop] == ctrl('S') && t.CC[vstart] == ctrl('Q')
	}
	if now := usual(t); now != usual(old) {
		status = pktNoStop
		if now {
			status = pktDoStop
		}
	}
	if (old.Lflag|t.Lflag)&extproc != 0 {
		status |= pktIoctl
	}
	return status
}

// A master is the open file of a master.
type master struct{ p *Pty }

// MasterOf returns the pseudo terminal that an open master belongs to; nil if impl
// is no master.
func MasterOf(impl file.Impl) *Pty {
	if m, ok := impl.(*master); ok {
		return m.p
	}
	return nil
}

// Read implements file.Impl.
func (m *master) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	p := m.p
	if u.Len() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.unlock()
	if err := p.enterMaster(t, f, &p.mreader); err != nil {
		return err
	}
	defer p.leaveMaster(&p.mreader)
	for !p.d.takeable() && (!p.packet || p.status == 0) {
		if p.hungLocked() {
			return errno.EIO
		}
		if f.Nonblock() {
			return errno.EAGAIN
		}
		if err := t.Wait(&p.mq, &p.mu, proc.Forever); err != nil {
			return err
		}
	}
	b := p.mrbuf[:0]
	if p.packet {
		b = append(b, p.status)
		if p.status != 0 {
			p.status = 0
			return p.copyOut(u, b)
		}
	}
	for {
		n := p.takeLocked(p.mrbuf[len(b):min(u.Len(), len(p.mrbuf))])
		if err := p.copyOut(u, p.mrbuf[:len(b)+n]); err != nil || u.Len() == 0 || p.packet || !p.d.takeable() {
			return err
		}
		b = b[:0]
	}
}

// Write implements file.Impl: input of the terminal.
func (m *master) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	p := m.p
	p.mu.Lock()
	defer p.unlock()
	if err := p.enterMaster(t, f, &p.mwriter); err != nil {
		return err
	}
	defer p.leaveMaster(&p.mwriter)
	for u.Len() > 0 {
		if t.Interrupted() && u.Done() > 0 {
			return proc.ERestartSys
		}
		if p.hungLocked() {
			return errno.EIO // nobody takes it any more
		}
		if len(p.left) > 0 {
			if f.Nonblock() {
				return errno.EAGAIN
			}
			if err := t.Wait(&p.mq, &p.mu, proc.Forever); err != nil {
				return err
			}
			continue
		}
		b := p.mwbuf[:min(u.Len(), len(p.mwbuf))]
		n, err := p.copyIn(u, b)
		b = b[:n]
		p.left = b[p.inputLocked(b):]
		p.publish()
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Pty) enterMaster(t *proc.Thread, f *file.File, g *gate) error {
	for g.taken {
		if f.Nonblock() {
			return errno.EAGAIN
		}
		g.waiting++
		err := t.Wait(&p.mq, &p.mu, proc.Forever)
		g.waiting--
		if err != nil {
			return err
		}
	}
	g.taken = true
	return nil
}

func (p *Pty) leaveMaster(g *gate) {
	g.taken = false
	if g.waiting > 0 {
		p.mq.WakeAll()
	}
}

// Release implements file.Impl: the terminal is hung up.
func (m *master) Release(f *file.File) {
	p := m.p
	p.mu.Lock()
	p.closed = true
	p.left = nil
	p.mu.Unlock()
	p.Hangup()
	p.mu.Lock()
	gone := p.opens == 0
	p.mu.Unlock()
	if gone {
		p.ptys.remove(p)
	}
}

// Stat implements file.Impl for a master that no file system shows.
func (m *master) Stat(t *proc.Thread) (abi.Stat, error) {
	return abi.Stat{Mode: abi.S_IFCHR | 0o666, Nlink: 1, Rdev: abi.Mkdev(ptmxMajor, ptmxMinor), Blksize: 1024}, nil
}

// Name implements file.Namer.
func (m *master) Name() string { return "/dev/ptmx" }

// LockKey implements file.Locker.
func (m *master) LockKey() any { return m }

// Queue implements file.Poller.
func (m *master) Queue() *proc.Queue { return &m.p.mq }

// Poll implements file.Poller.
func (m *master) Poll(f *file.File) file.Events {
	p := m.p
	p.mu.Lock()
	defer p.mu.Unlock()
	var e file.Events
	if p.packet && p.status != 0 {
		e |= abi.POLLPRI | abi.POLLIN | abi.POLLRDNORM
	}
	if p.d.takeable() {
		e |= abi.POLLIN | abi.POLLRDNORM
	}
	if p.hungLocked() {
		e |= abi.POLLHUP
	}
	if len(p.left) == 0 {
		e |= abi.POLLOUT | abi.POLLWRNORM
	}
	return e
}

// Ioctl implements file.Ioctler. Most of it means the slave.
func (m *master) Ioctl(t *proc.Thread, f *file.File, cmd uint32, arg vm.Addr) (uintptr, error) {
	p := m.p
	switch cmd {
	case tiocgptn:
		return 0, putInt(t, arg, int32(p.Index))
	case tiocsptlck, tiocpkt:
		v, err := getInt(t, arg)
		if err != nil {
			return 0, err
		}
		p.mu.Lock()
		if cmd == tiocsptlck {
			p.locked = v != 0
		} else if on := v != 0; on != p.packet {
			p.packet, p.status = on, 0
		}
		p.mu.Unlock()
		return 0, nil
	case tiocgptlck, tiocgpkt:
		p.mu.Lock()
		on := p.locked
		if cmd == tiocgpkt {
			on = p.packet
		}
		p.mu.Unlock()
		return 0, putInt(t, arg, bit(on))
	case tiocsig:
		return 0, p.sendSignal(uint64(arg))
	case fionread:
		p.mu.Lock()
		n := 0
		if !p.d.stopped {
			n = p.d.out.len()
		}
		p.mu.Unlock()
		return 0, putInt(t, arg, int32(n))
	case tiocoutq:
		return 0, putInt(t, arg, 0)
	case tcflsh: // seen from the other side
		switch arg {
		case tciflush:
			arg = tcoflush
		case tcoflush:
			arg = tciflush
		}
		return 0, p.flush(uint64(arg))
	}
	h := &handle{y: &p.TTY, system: true}
	return 0, h.control(t, f, cmd, arg)
}

// sendSignal implements TIOCSIG: SIGINT, SIGQUIT or SIGTSTP for the foreground.
func (p *Pty) sendSignal(n uint64) error {
	for _, s := range signalTable {
		if uint64(s.sig) == n {
			p.mu.Lock()
			p.d.signals |= s.bit
			p.unlock()
			return nil
		}
	}
	return errno.EINVAL
}
