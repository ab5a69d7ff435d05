package tty

// Editing of the line: erasing characters, words, all of it; showing it again.

// erase handles VERASE, VWERASE and VKILL.
func (d *disc) erase(c byte) {
	t, q := &d.t, &d.in
	if !q.edited() {
		return
	}
	one := c == t.CC[verase]
	word := !one && c == t.CC[vwerase]
	if !one && !word && !t.lflag(echo) {
		q.head = q.canon
		return
	}
	if !one && !word && t.Lflag&(echok|echoke|echoe) != echok|echoke|echoe {
		q.head = q.canon
		d.endErase()
		d.echo(t.CC[vkill])
		if t.lflag(echok) {
			d.output('\n')
		}
		return
	}
	inWord := false
	for q.edited() {
		start := q.head - 1
		for d.continues(q.at(start)) && start != q.canon {
			start--
		}
		c := q.at(start)
		if d.continues(c) {
			break // the rest of a character whose start is gone
		}
		if word {
			if isWord(c) {
				inWord = true
			} else if inWord {
				break
			}
		}
		end := q.head
		q.head = start
		if t.lflag(echo) {
			d.echoErase(c, start, end, one)
		}
		if one {
			break
		}
	}
	if !q.edited() && t.lflag(echo) {
		d.endErase()
	}
}

// echoErase shows that the character from start to end is gone, whose first
// byte is c. The queue ends at start already.
func (d *disc) echoErase(c byte, start, end uint32, one bool) {
	t, q := &d.t, &d.in
	switch {
	case t.lflag(echoprt):
		if !d.erasing {
			d.output('\\')
			d.erasing = true
		}
		d.echo(c)
		for i := start + 1; i != end; i++ {
			d.output(q.at(i))
			d.back()
		}
	case one && !t.lflag(echoe):
		d.echo(t.CC[verase])
	case c == '\t':
		d.eraseTab()
	default:
		n := 1
		if isControl(c) {
			n = 0
			if t.lflag(echoctl) {
				n = 2
			}
		}
		for range n {
			d.output('\b')
			d.output(' ')
			d.output('\b')
		}
	}
}

// eraseTab goes back to where a tab at the end of the line began.
func (d *disc) eraseTab() {
	q := &d.in
	n, tab := 0, false
	for i := q.head; i != q.canon && !tab; i-- {
		switch c := q.at(i - 1); {
		case c == '\t':
			tab = true
		case isControl(c):
			if d.t.lflag(echoctl) {
				n += 2
			}
		case !d.continues(c):
			n++
		}
	}
	if !tab {
		n += d.lineColumn
	}
	for range 8 - n%8 {
		d.out.put('\b')
		d.back()
	}
}

// endErase closes what ECHOPRT shows of erased characters.
func (d *disc) endErase() {
	if d.erasing {
		d.output('/')
		d.erasing = false
	}
}

// reprint shows the line being edited again.
func (d *disc) reprint(c byte) {
	d.endErase()
	d.echo(c)
	d.output('\n')
	for i := d.in.canon; i != d.in.head; i++ {
		d.echo(d.in.at(i))
	}
}
