package tty

import "encoding/binary"

// The settings of a terminal and the forms that programs see: struct termios,
// termios2 and termio of asm-generic/termbits.h and termios.h.

// Characters, by index into Termios.CC.
const (
	vintr    = 0
	vquit    = 1
	verase   = 2
	vkill    = 3
	veof     = 4
	vtime    = 5
	vmin     = 6
	vstart   = 8
	vstop    = 9
	vsusp    = 10
	veol     = 11
	vreprint = 12
	vdiscard = 13
	vwerase  = 14
	vlnext   = 15
	veol2    = 16
)

// Input flags.
const (
	ignbrk = 0x1
	brkint = 0x2
	ignpar = 0x4
	parmrk = 0x8
	inpck  = 0x10
	istrip = 0x20
	inlcr  = 0x40
	igncr  = 0x80
	icrnl  = 0x100
	iuclc  = 0x200
	ixon   = 0x400
	ixany  = 0x800
	ixoff  = 0x1000
	iutf8  = 0x4000
)

// Output flags.
const (
	opost  = 0x1
	olcuc  = 0x2
	onlcr  = 0x4
	ocrnl  = 0x8
	onocr  = 0x10
	onlret = 0x20
	tabdly = 0x1800
	xtabs  = 0x1800
)

// Control flags.
const (
	cbaud   = 0x100f
	cbaudex = 0x1000
	bother  = 0x1000
	b38400  = 0xf
	csize   = 0x30
	cs8     = 0x30
	cread   = 0x80
	parenb  = 0x100
	hupcl   = 0x400
	clocal  = 0x800
	cibaud  = 0x100f0000
	ibshift = 16
	addrb   = 0x20000000
)

// Local flags.
const (
	isig    = 0x1
	icanon  = 0x2
	echo    = 0x8
	echoe   = 0x10
	echok   = 0x20
	echonl  = 0x40
	noflsh  = 0x80
	tostop  = 0x100
	echoctl = 0x200
	echoprt = 0x400
	echoke  = 0x800
	iexten  = 0x8000
	extproc = 0x10000
)

// disabled is the control character that none is.
const disabled = 0

const (
	nccs         = 19 // characters in struct termios
	ncc          = 8  // and in struct termio
	termiosSize  = 36
	termios2Size = 44
	termioSize   = 18
)

// Termios are the settings of a terminal.
type Termios struct {
	Iflag, Oflag, Cflag, Lflag uint32
	Line                       uint8
	CC                         [nccs]uint8
	Ispeed, Ospeed             uint32 // bits per second
}

// Default returns the settings that a terminal starts with.
func Default() Termios {
	return Termios{
		Iflag:  icrnl | ixon,
		Oflag:  opost | onlcr,
		Cflag:  b38400 | cs8 | cread | hupcl,
		Lflag:  isig | icanon | echo | echoe | echok | echoctl | echoke | iexten,
		Ispeed: 38400,
		Ospeed: 38400,
		CC: [nccs]uint8{
			vintr: ctrl('C'), vquit: ctrl('\\'), verase: 0x7f, vkill: ctrl('U'), veof: ctrl('D'),
			vmin: 1, vstart: ctrl('Q'), vstop: ctrl('S'), vsusp: ctrl('Z'), vreprint: ctrl('R'),
			vdiscard: ctrl('O'), vwerase: ctrl('W'), vlnext: ctrl('V'),
		},
	}
}

// ctrl returns the character that the control key makes of c.
func ctrl(c byte) byte { return c & 0x1f }

// speeds are the rates that CBAUD names, by its value without CBAUDEX, then
// those with it.
var speeds = [...]uint32{
	0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
	0, 57600, 115200, 230400, 460800, 500000, 576000, 921600,
	1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
}

// rate returns the speed that the CBAUD bits b name; other is that of BOTHER.
func rate(b, other uint32) uint32 {
	b &= cbaud
	if b == bother {
		return other
	}
	n := b & 0xf
	if b&cbaudex != 0 {
		n += 16
	}
	return speeds[n]
}

// setSpeeds makes the speeds fit Cflag; in and out are those given for BOTHER.
func (t *Termios) setSpeeds(in, out uint32) {
	t.Ospeed = rate(t.Cflag, out)
	if b := t.Cflag & cibaud >> ibshift; b != 0 {
		t.Ispeed = rate(b, in)
	} else {
		t.Ispeed = t.Ospeed
	}
}

// put writes t as struct termios, or as struct termios2 if b is long enough.
func (t *Termios) put(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], t.Iflag)
	le.PutUint32(b[4:], t.Oflag)
	le.PutUint32(b[8:], t.Cflag)
	le.PutUint32(b[12:], t.Lflag)
	b[16] = t.Line
	copy(b[17:36], t.CC[:])
	if len(b) >= termios2Size {
		le.PutUint32(b[36:], t.Ispeed)
		le.PutUint32(b[40:], t.Ospeed)
	}
}

// get reads struct termios, or termios2.
func (t *Termios) get(b []byte) {
	le := binary.LittleEndian
	t.Iflag = le.Uint32(b[0:])
	t.Oflag = le.Uint32(b[4:])
	t.Cflag = le.Uint32(b[8:])
	t.Lflag = le.Uint32(b[12:])
	t.Line = b[16]
	copy(t.CC[:], b[17:36])
	in, out := t.Ispeed, t.Ospeed
	if len(b) >= termios2Size {
		in, out = le.Uint32(b[36:]), le.Uint32(b[40:])
	}
	t.setSpeeds(in, out)
}

// putOld writes t as struct termio.
func (t *Termios) putOld(b []byte) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], uint16(t.Iflag))
	le.PutUint16(b[2:], uint16(t.Oflag))
	le.PutUint16(b[4:], uint16(t.Cflag))
	le.PutUint16(b[6:], uint16(t.Lflag))
	b[8] = t.Line
	copy(b[9:9+ncc], t.CC[:])
	b[17] = 0
}

// getOld reads struct termio over t: the upper halves of the flags and the
// other characters stay.
func (t *Termios) getOld(b []byte) {
	le := binary.LittleEndian
	low := func(f *uint32, b []byte) { *f = *f&^0xffff | uint32(le.Uint16(b)) }
	low(&t.Iflag, b[0:])
	low(&t.Oflag, b[2:])
	low(&t.Cflag, b[4:])
	low(&t.Lflag, b[6:])
	t.Line = b[8]
	copy(t.CC[:ncc], b[9:9+ncc])
	t.setSpeeds(t.Ispeed, t.Ospeed)
}

func (t *Termios) iflag(f uint32) bool { return t.Iflag&f != 0 }
func (t *Termios) oflag(f uint32) bool { return t.Oflag&f != 0 }
func (t *Termios) lflag(f uint32) bool { return t.Lflag&f != 0 }

// lines reports whether input is handed to readers line by line.
func (t *Termios) lines() bool { return t.Lflag&(icanon|extproc) == icanon }
