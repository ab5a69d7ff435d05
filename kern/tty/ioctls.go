package tty

// Numbers of ioctl(2): asm-generic/ioctls.h.
const (
	tcgets       = 0x5401
	tcsets       = 0x5402
	tcsetsw      = 0x5403
	tcsetsf      = 0x5404
	tcgeta       = 0x5405
	tcseta       = 0x5406
	tcsetaw      = 0x5407
	tcsetaf      = 0x5408
	tcsbrk       = 0x5409
	tcxonc       = 0x540a
	tcflsh       = 0x540b
	tiocexcl     = 0x540c
	tiocnxcl     = 0x540d
	tiocsctty    = 0x540e
	tiocgpgrp    = 0x540f
	tiocspgrp    = 0x5410
	tiocoutq     = 0x5411
	tiocsti      = 0x5412
	tiocgwinsz   = 0x5413
	tiocswinsz   = 0x5414
	tiocgsoftcar = 0x5419
	tiocssoftcar = 0x541a
	fionread     = 0x541b // TIOCINQ too
	tiocpkt      = 0x5420
	tiocnotty    = 0x5422
	tiocsetd     = 0x5423
	tiocgetd     = 0x5424
	tcsbrkp      = 0x5425
	tiocsbrk     = 0x5427
	tioccbrk     = 0x5428
	tiocgsid     = 0x5429
	tcgets2      = 0x802c542a
	tcsets2      = 0x402c542b
	tcsetsw2     = 0x402c542c
	tcsetsf2     = 0x402c542d
	tiocgptn     = 0x80045430
	tiocsptlck   = 0x40045431
	tiocsig      = 0x40045436
	tiocvhup     = 0x5437
	tiocgpkt     = 0x80045438
	tiocgptlck   = 0x80045439
	tiocgexcl    = 0x80045440
)

// Arguments of TCFLSH and TCXONC.
const (
	tciflush  = 0
	tcoflush  = 1
	tcioflush = 2

	tcooff = 0
	tcoon  = 1
	tcioff = 2
	tcion  = 3
)

// OfLine reports whether an ioctl of a pseudo terminal's master tells or changes nothing but
// the line: its settings, its size, what is on its way. The caller's session, privileges and
// descriptors have no part in these, so that he may be of another instance.
func OfLine(cmd uint32) bool {
	switch cmd {
	case tcgets, tcsets, tcsetsw, tcsetsf, tcgeta, tcseta, tcsetaw, tcsetaf,
		tcgets2, tcsets2, tcsetsw2, tcsetsf2, tiocgwinsz, tiocswinsz, fionread, tiocoutq:
		return true
	}
	return false
}
