package klog

import (
	"bytes"
	"unicode/utf8"
)

// prefixMax is the room for the longest "[seconds.micros] ".
const prefixMax = len("[9223372036.854775] ")

// record is a record in the ring. It is not changed after put.
type record struct {
	seq   uint64
	time  int64
	level Level
	line  []byte // "[    1.234567] text\n"; until put, prefixMax bytes of room first
	text  int    // where the text starts in line
	of    []uint64
}

func (r *record) cost() int { return overhead + cap(r.line) + 8*len(r.of) }

func (r *record) export() Record {
	return Record{r.seq, r.time, r.level, string(r.line[r.text : len(r.line)-1]), r.of}
}

// records makes a record for each line of text, without number and time. A
// newline or CR and newline at the end doesn't start another line.
func records(level Level, text []byte) []*record {
	text = bytes.TrimSuffix(text, []byte{'\n'})
	list := make([]*record, 0, bytes.Count(text, []byte{'\n'})+1)
	for more := true; more; {
		var line []byte
		line, text, more = bytes.Cut(text, []byte{'\n'})
		var buf [MaxText]byte
		safe := clean(buf[:0], bytes.TrimSuffix(line, []byte{'\r'}))
		r := &record{level: level, text: prefixMax}
		r.line = make([]byte, prefixMax+len(safe)+1)
		copy(r.line[prefixMax:], safe)
		r.line[len(r.line)-1] = '\n'
		list = append(list, r)
	}
	return list
}

// clean appends to dst, which has room for MaxText bytes, what of line fits
// there. Control characters except tab, and what isn't UTF-8, become \xNN: a
// log must not be able to move the cursor of the terminal that shows it.
func clean(dst, line []byte) []byte {
	const hex, mark = "0123456789abcdef", "..."
	fits := 0 // where to cut so that mark has room
	for len(line) > 0 {
		c, n := utf8.DecodeRune(line)
		bad := c == utf8.RuneError && n == 1 || c < ' ' && c != '\t' || 0x7f <= c && c < 0xa0
		size := n
		if bad {
			size = n * len(`\xNN`)
		}
		if len(dst) <= MaxText-len(mark) {
			fits = len(dst)
		}
		if len(dst)+size > MaxText {
			return append(dst[:fits], mark...)
		}
		for _, b := range line[:n] {
			if bad {
				dst = append(dst, '\\', 'x', hex[b>>4], hex[b&15])
			} else {
				dst = append(dst, b)
			}
		}
		line = line[n:]
	}
	return dst
}

// stamp gives a new record its number and time, and writes the time before
// the text: seconds in at least 5 places, as dmesg has it.
func (r *record) stamp(seq uint64, ns int64) {
	r.seq, r.time = seq, ns
	i := r.text
	back := func(c byte) { i--; r.line[i] = c }
	back(' ')
	back(']')
	v := uint64(max(ns, 0)) / 1000
	for n := 0; n < len("    1.234567") || v > 0; n++ {
		switch {
		case n == 6:
			back('.')
		case n > 7 && v == 0:
			back(' ')
		default:
			back('0' + byte(v%10))
			v /= 10
		}
	}
	back('[')
	r.line, r.text = r.line[i:], r.text-i
}
