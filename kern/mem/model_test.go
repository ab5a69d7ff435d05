package mem

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// model is the pool as a plain array: what each frame is.
type model struct {
	state []byte // by frame: absent, free or used
	stats Stats
}

const (
	absent = iota
	free
	used
)

func newPool(t testing.TB, limit PA) *Pool {
	t.Helper()
	p := new(Pool)
	p.Init(make([]uint64, MetaBytes(limit)/8), limit)
	return p
}

func (m *model) add(lo, hi uint64) {
	for f := lo; f < hi; f++ {
		switch {
		case f >= uint64(len(m.state)):
			m.stats.Skipped++
		case m.state[f] == absent:
			m.state[f] = free
			m.stats.Total++
			m.stats.Free++
		}
	}
}

func (m *model) take(lo, hi uint64) {
	for f := lo; f < min(hi, uint64(len(m.state))); f++ {
		if m.state[f] == free {
			m.state[f] = used
			m.stats.Free--
			m.stats.Allocs++
		}
	}
}

func (m *model) put(lo, hi uint64) {
	for f := lo; f < hi; f++ {
		m.state[f] = free
		m.stats.Free++
		m.stats.Frees++
	}
}

// all reports whether [lo, hi) are frames of that state.
func (m *model) all(state byte, lo, hi uint64) bool {
	if hi > uint64(len(m.state)) {
		return false
	}
	for _, s := range m.state[lo:hi] {
		if s != state {
			return false
		}
	}
	return true
}

// find is first fit as one would write it on paper.
func (m *model) find(n, align, limit uint64) (uint64, bool) {
	align = max(align, 1)
	have := uint64(0) // free frames up to here
	for f := range min(limit, uint64(len(m.state))) {
		if have++; m.state[f] != free {
			have = 0
		}
		if n > 0 && have >= n {
			if first := f + 1 - n; first%align == 0 {
				return first, true
			}
		}
	}
	return 0, false
}

// check compares p with m, and p's summaries with its level 0.
func (m *model) check(p *Pool) error {
	if s := p.Stats(); s != m.stats {
		return fmt.Errorf("stats %+v, want %+v", s, m.stats)
	}
	for f := range uint64(len(p.level[0]) * 64) {
		want := f < uint64(len(m.state)) && m.state[f] == free
		if got := p.level[0][f>>6]>>(f&63)&1 == 1; got != want {
			return fmt.Errorf("frame %d free: %v, want %v", f, got, want)
		}
	}
	for l := 1; l <= p.top; l++ {
		for i, x := range p.level[l-1] {
			if got, want := p.level[l][i>>6]>>(i&63)&1 == 1, x != 0; got != want {
				return fmt.Errorf("level %d, bit %d is %v", l, i, got)
			}
		}
	}
	if len(p.level[p.top]) != 1 {
		return fmt.Errorf("top level has %d words", len(p.level[p.top]))
	}
	for b := 0; b < len(p.level[0])/8; b++ {
		n := 0
		for _, x := range p.level[0][b*8 : b*8+8] {
			n += bits.OnesCount64(x)
		}
		if got, want := p.block[b>>6]>>(b&63)&1 == 1, n == 512; got != want {
			return fmt.Errorf("block %d is %v with %d free frames", b, got, n)
		}
	}
	for i := range p.hint {
		if p.level[0][i] != 0 {
			return fmt.Errorf("hint is %d, but word %d has a free frame", p.hint, i)
		}
	}
	for i, r := range p.region {
		switch {
		case i >= p.regions && r != region{}:
			return fmt.Errorf("region %d of %d is left over: %v", i, p.regions, r)
		case i < p.regions && (r.lo >= r.hi || i > 0 && p.region[i-1].hi >= r.lo):
			return fmt.Errorf("region %d is out of order: %v", i, p.region[:p.regions])
		}
	}
	return nil
}

// panics returns what f panics with, "" if it doesn't.
func panics(f func()) (msg string) {
	defer func() {
		if r := recover(); r != nil {
			msg = r.(string)
		}
	}()
	f()
	return ""
}

// drive does what a source of numbers tells to a pool and its model, until
// the source ends, and compares them after each step (of a small pool) or now
// and then.
func drive(limit PA, num func(n uint64) (uint64, bool), every int) error {
	p := new(Pool)
	p.Init(make([]uint64, MetaBytes(limit)/8), limit)
	m := &model{state: make([]byte, limit/PageSize)}
	frames := uint64(len(m.state)) + 3 // some past the end

	for step := 1; ; step++ {
		op, ok := num(16)
		if !ok {
			return m.check(p)
		}
		a, _ := num(frames)
		b, _ := num(frames)
		n, _ := num(12)
		n = b >> n // small ones more often
		off, _ := num(PageSize)
		did := ""
		switch op {
		case 0, 1:
			start, end := PA(a*PageSize+off), PA((a+n)*PageSize)
			did = fmt.Sprintf("AddRegion(%#x, %#x)", start, end)
			p.AddRegion(start, end)
			if off != 0 {
				a++
				n-- // maybe to -1, an empty region
			}
			m.add(a, a+n)
		case 2:
			end := PA((a+n)*PageSize + off)
			did = fmt.Sprintf("Reserve(%#x, %#x)", a*PageSize, end)
			p.Reserve(PA(a*PageSize), end)
			if off != 0 {
				n++
			}
			m.take(a, a+n)
		case 3, 4, 5:
			did = "Alloc()"
			pa, ok := p.Alloc()
			f, want := m.find(1, 1, frames)
			if ok != want || ok && pa != PA(f*PageSize) {
				return fmt.Errorf("step %d: Alloc() = %#x, %v; want frame %d, %v", step, pa, ok, f, want)
			}
			if ok {
				m.take(f, f+1)
			}
		case 6, 7, 8, 9:
			align := uint64(1) << (a % 13) >> 1
			below := uint64(0)
			if off%3 == 0 {
				below = a + 1
			}
			did = fmt.Sprintf("AllocRun(%d, %d pages, below %d)", n, align, below)
			lim := frames
			if below != 0 {
				lim = below
			}
			pa, ok := p.AllocRun(n, align*PageSize, PA(below*PageSize))
			f, want := m.find(n, align, lim)
			if ok != want || ok && pa != PA(f*PageSize) {
				return fmt.Errorf("step %d: %s = %#x, %v; want frame %d, %v", step, did, pa, ok, f, want)
			}
			if ok {
				m.take(f, f+n)
			}
		case 10:
			did = fmt.Sprintf("AllocSome(%d)", n)
			dst := make([]PA, n)
			got := p.AllocSome(dst)
			for i, pa := range dst[:got] {
				f, want := m.find(1, 1, frames)
				if !want || pa != PA(f*PageSize) {
					return fmt.Errorf("step %d: %s[%d] = %#x, want frame %d, %v", step, did, i, pa, f, want)
				}
				m.take(f, f+1)
			}
			if uint64(got) < n && m.stats.Free != 0 {
				return fmt.Errorf("step %d: %s = %d with %d free", step, did, got, m.stats.Free)
			}
		case 11, 12:
			did = fmt.Sprintf("Free(frame %d)", a)
			msg := panics(func() { p.Free(PA(a * PageSize)) })
			if ok := m.all(used, a, a+1); ok != (msg == "") {
				return fmt.Errorf("step %d: %s: %q", step, did, msg)
			} else if ok {
				m.put(a, a+1)
			}
		default:
			did = fmt.Sprintf("FreeRun(frame %d, %d)", a, n)
			msg := panics(func() { p.FreeRun(PA(a*PageSize), n) })
			if ok := n == 0 || m.all(used, a, a+n); ok != (msg == "") {
				return fmt.Errorf("step %d: %s: %q", step, did, msg)
			} else if ok {
				m.put(a, a+n)
			}
		}
		if step%every == 0 {
			if err := m.check(p); err != nil {
				return fmt.Errorf("after step %d, %s: %w", step, did, err)
			}
		}
	}
}

func TestModel(t *testing.T) {
	tests := []struct {
		limit        PA
		steps, every int
	}{
		{0, 200, 1},
		{PageSize - 1, 200, 1},
		{63 * PageSize, 1000, 1},
		{64*PageSize + 5, 1000, 1},
		{513 * PageSize, 2000, 5},
		{4 << 20, 2000, 10},
		{19<<20 + 3*PageSize, 1500, 30},
		{300 << 20, 100, 25},
	}
	for _, tt := range tests {
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, uint64(tt.limit)))
			left := tt.steps * 5 // numbers a step
			num := func(n uint64) (uint64, bool) {
				left--
				return r.Uint64N(n), left >= 0
			}
			if err := drive(tt.limit, num, tt.every); err != nil {
				t.Errorf("limit %#x, seed %d: %v", tt.limit, seed, err)
			}
		}
	}
}

func FuzzPool(f *testing.F) {
	f.Add(uint16(600), []byte("\x00\x00\x00\xff\xff\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(uint16(64), []byte{0, 0, 0, 64, 0, 0, 0, 0, 6, 1, 0, 9, 0, 0, 0, 0, 12, 0, 0, 3, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, frames uint16, data []byte) {
		limit := PA(frames%2048) * PageSize
		num := func(n uint64) (uint64, bool) {
			var v uint64
			for ; n > 1; n = (n + 255) / 256 {
				if len(data) == 0 {
					return 0, false
				}
				v, data = v<<8|uint64(data[0]), data[1:]
				if n <= 256 {
					return v % n, true
				}
			}
			return v, len(data) > 0
		}
		if err := drive(limit, func(n uint64) (uint64, bool) {
			v, ok := num(n)
			return v % max(n, 1), ok
		}, 1); err != nil {
			t.Error(err)
		}
	})
}
