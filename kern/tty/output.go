package tty

// Output processing and the echo of input. Both pass through the column, which
// decides what a tab is worth.

// room returns how many bytes write takes now.
func (d *disc) room() int { return max(0, min(writeStep, outLimit-d.out.len())) }

// write processes at most writeStep bytes of a program's output, of which room
// has been seen since the last write.
func (d *disc) write(p []byte) {
	d.out.limit = outSize
	for _, c := range p {
		d.output(c)
	}
}

// output processes one byte of output, of a program or of an echo.
func (d *disc) output(c byte) {
	t := &d.t
	if !t.oflag(opost) {
		d.out.put(c)
		return
	}
	switch c {
	case '\n':
		if t.oflag(onlret) {
			d.column = 0
		}
		if t.oflag(onlcr) {
			d.column, d.lineColumn = 0, 0
			d.out.put('\r')
		} else {
			d.lineColumn = d.column
		}
	case '\r':
		switch {
		case t.oflag(onocr) && d.column == 0:
			return
		case t.oflag(ocrnl):
			c = '\n'
			if t.oflag(onlret) {
				d.column, d.lineColumn = 0, 0
			}
		default:
			d.column, d.lineColumn = 0, 0
		}
	case '\t':
		n := 8 - d.column%8
		d.column += n
		if t.Oflag&tabdly == xtabs {
			for range n {
				d.out.put(' ')
			}
			return
		}
	case '\b':
		d.back()
	default:
		if !isControl(c) {
			if t.oflag(olcuc) {
				c = upper(c)
			}
			if !d.continues(c) {
				d.column++
			}
		}
	}
	d.out.put(c)
}

// back moves the column one to the left.
func (d *disc) back() {
	if d.column > 0 {
		d.column--
	}
}

// echo shows a byte of input, control characters as ^X if so wished.
func (d *disc) echo(c byte) {
	switch {
	case d.t.lflag(echoctl) && isControl(c) && c != '\t':
		d.out.put('^')
		d.out.put(c ^ 0x40)
		d.column += 2
	case c == 0xff:
		d.out.put(c)
		d.column++
	default:
		d.output(c)
	}
}

// echoInput is echo of a byte that goes to the line being edited.
func (d *disc) echoInput(c byte) {
	d.endErase()
	d.lineStarts()
	d.echo(c)
}

// lineStarts notes the column where the line begins that is being edited, if
// it begins now.
func (d *disc) lineStarts() {
	if !d.in.edited() {
		d.lineColumn = d.column
	}
}

// continues reports whether c goes on with a character of several bytes.
func (d *disc) continues(c byte) bool { return d.t.iflag(iutf8) && c&0xc0 == 0x80 }

// Classes of bytes, as Linux has them: Latin-1.

func isControl(c byte) bool { return c < ' ' || c == 0x7f }

func isLower(c byte) bool {
	return 'a' <= c && c <= 'z' || c >= 0xdf && c != 0xf7
}

func isUpper(c byte) bool {
	return 'A' <= c && c <= 'Z' || c >= 0xc0 && c < 0xdf && c != 0xd7
}

func isWord(c byte) bool {
	return isLower(c) || isUpper(c) || '0' <= c && c <= '9' || c == '_'
}

func upper(c byte) byte {
	if isLower(c) {
		c -= 'a' - 'A'
	}
	return c
}

func lower(c byte) byte {
	if isUpper(c) {
		c += 'a' - 'A'
	}
	return c
}
