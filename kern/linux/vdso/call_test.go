package vdso

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"mult/dev/clock"
)

// A program has the two pages in the test's own process, side by side as in
// a program of mult. The fallback reaches the host's kernel, which has the
// same system calls.
type program struct {
	pages []byte // data, code, mem, stubs
	data  *data
	funcs [len(functions)]uintptr
	mem   []byte // where functions may store
	call  func(a, b, fn uintptr) uintptr
	tsc   func() uint64
}

// Machine code, called as Go calls functions: arguments in AX, BX and CX.
var (
	// MOVQ AX, DI; MOVQ BX, SI; XORL DX, DX; JMP CX: call a C function
	callCode = []byte{0x48, 0x89, 0xc7, 0x48, 0x89, 0xde, 0x31, 0xd2, 0xff, 0xe1}
	// LFENCE; RDTSC; SHLQ $32, DX; ORQ DX, AX; RET
	tscCode = []byte{0x0f, 0xae, 0xe8, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3}
)

func newProgram(t testing.TB) *program {
	t.Helper()
	const page = 4096
	m, err := syscall.Mmap(-1, 0, 4*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(m) })
	p := &program{pages: m, data: (*data)(unsafe.Pointer(&m[0])), mem: m[2*page : 3*page]}
	img := image(text())
	stubs := m[3*page:]
	p.write(t, page, img[:])
	p.write(t, 3*page, callCode)
	p.write(t, 3*page+64, tscCode)
	for i, name := range functions {
		a, ok := lookup(img[:], "__vdso_"+name, version, hash(version))
		if !ok {
			t.Fatalf("no %s", name)
		}
		p.funcs[i] = uintptr(unsafe.Pointer(&m[page])) + uintptr(a)
	}
	// A function value is a pointer to where the address of the code is.
	call, tsc := new(unsafe.Pointer), new(unsafe.Pointer)
	*call, *tsc = unsafe.Pointer(&stubs[0]), unsafe.Pointer(&stubs[64])
	p.call = *(*func(a, b, fn uintptr) uintptr)(unsafe.Pointer(&call))
	p.tsc = *(*func() uint64)(unsafe.Pointer(&tsc))
	return p
}

// write changes code.
func (p *program) write(t testing.TB, at int, code []byte) {
	t.Helper()
	page := p.pages[at&^4095:][:4096]
	if err := syscall.Mprotect(page, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	copy(page[at&4095:], code)
	if err := syscall.Mprotect(page, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		t.Fatal(err)
	}
}

// Functions, as indices of functions.
const (
	fnClockGettime = iota
	fnGettimeofday
	fnTime
	fnGetcpu
	fnClockGetres
)

// pair is memory for a pair of numbers; each user has its own.
func (p *program) pair(n int) *[2]int64 { return (*[2]int64)(unsafe.Pointer(&p.mem[n*16])) }

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// read reads a clock into pair n, in ns.
func (p *program) read(t testing.TB, id, n int) int64 {
	ts := p.pair(n)
	*ts = [2]int64{-1, -1}
	if r := p.call(uintptr(id), address(ts), p.funcs[fnClockGettime]); r != 0 {
		t.Errorf("clock_gettime(%d) = %d", id, int(r))
	}
	if ts[1] < 0 || ts[1] >= 1e9 {
		t.Errorf("clock_gettime(%d): %d ns", id, ts[1])
	}
	return ts[0]*1e9 + ts[1]
}

// stopped is a clock that stands at ns.
func stopped(ns uint64, wall int64) *Params {
	s := clock.Segment{NS: ns, Scale: clock.Scale{Shift: 1}}
	return &Params{Before: s, After: s, Wall: wall}
}

const (
	monoNS = 12_345_678_901
	wallNS = 1_700_000_000_123_456_789
)

func TestClocks(t *testing.T) {
	p := newProgram(t)
	p.data.set(stopped(monoNS, wallNS-monoNS))
	for range 2 { // with both descriptions
		for id, want := range map[int]int64{
			0: wallNS, 5: wallNS, 11: wallNS,
			1: monoNS, 4: monoNS, 6: monoNS, 7: monoNS,
		} {
			if got := p.read(t, id, 0); got != want {
				t.Errorf("clock %d is %d, want %d", id, got, want)
			}
			// Only the low half of the register counts.
			if got := p.read(t, id|0x5a<<32, 0); got != want {
				t.Errorf("clock %d with a high half is %d, want %d", id, got, want)
			}
		}
		p.data.set(stopped(monoNS, wallNS-monoNS))
	}
}

func TestTimeOfDay(t *testing.T) {
	p := newProgram(t)
	p.data.set(stopped(monoNS, wallNS-monoNS))
	tv, tz := p.pair(0), p.pair(1)
	for _, tt := range []struct{ tv, tz uintptr }{
		{address(tv), address(tz)}, {address(tv), 0}, {0, address(tz)}, {0, 0},
	} {
		*tv, *tz = [2]int64{-1, -1}, [2]int64{-1, -1}
		if r := p.call(tt.tv, tt.tz, p.funcs[fnGettimeofday]); r != 0 {
			t.Errorf("gettimeofday = %d", int(r))
		}
		wantTV, wantTZ := [2]int64{-1, -1}, [2]int64{-1, -1}
		if tt.tv != 0 {
			wantTV = [2]int64{wallNS / 1_000_000_000, wallNS % 1_000_000_000 / 1000}
		}
		if tt.tz != 0 {
			wantTZ[0] = 0
		}
		if *tv != wantTV || *tz != wantTZ {
			t.Errorf("gettimeofday: %d %d, want %d %d", *tv, *tz, wantTV, wantTZ)
		}
	}
	for _, to := range []uintptr{address(tv), 0} {
		tv[0] = -1
		if r := p.call(to, 0, p.funcs[fnTime]); r != wallNS/1_000_000_000 || to != 0 && tv[0] != int64(r) {
			t.Errorf("time = %d, stores %d", r, tv[0])
		}
	}
}

func TestResolution(t *testing.T) {
	p := newProgram(t)
	for _, id := range []int{0, 1, 4, 7, 11} {
		ts := p.pair(0)
		*ts = [2]int64{-1, -1}
		if r := p.call(uintptr(id), address(ts), p.funcs[fnClockGetres]); r != 0 || *ts != [2]int64{0, 1} {
			t.Errorf("clock_getres(%d) = %d, %d", id, int(r), *ts)
		}
		if r := p.call(uintptr(id), 0, p.funcs[fnClockGetres]); r != 0 {
			t.Errorf("clock_getres(%d, NULL) = %d", id, int(r))
		}
	}
}

// TestFallback checks what is left to the system calls.
func TestFallback(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := newProgram(t)
	p.data.set(stopped(0, 0))
	host := func(nr, a, b uintptr) uintptr {
		r, _, errno := syscall.RawSyscall(nr, a, b, 0)
		if errno != 0 {
			return -uintptr(errno)
		}
		return r
	}
	for _, id := range []int{-1 << 31, -6, -1, 2, 3, 8, 9, 10, 12, 31, 32, 33, 1000} {
		for fn, nr := range map[int]uintptr{fnClockGettime: 228, fnClockGetres: 229} {
			want := host(nr, uintptr(id), address(p.pair(1)))
			if got := p.call(uintptr(id), address(p.pair(0)), p.funcs[fn]); got != want {
				t.Errorf("%s(%d) = %d, want %d", functions[fn], id, int(got), int(want))
			}
		}
	}
	for _, id := range []int{5, 6} { // coarse clocks
		host(229, uintptr(id), address(p.pair(1)))
		r := p.call(uintptr(id), address(p.pair(0)), p.funcs[fnClockGetres])
		if r != 0 || *p.pair(0) != *p.pair(1) {
			t.Errorf("clock_getres(%d) = %d, %d, want %d", id, int(r), *p.pair(0), *p.pair(1))
		}
	}
	for _, id := range []int{2, 3} { // CPU time
		var ns [2]int64
		for i := range ns {
			host(228, uintptr(id), address(p.pair(1)))
			ns[i] = p.pair(1)[0]*1e9 + p.pair(1)[1]
			if i == 0 {
				if got := p.read(t, id, 0); got < ns[0] {
					t.Errorf("clock %d goes back from %d to %d", id, ns[0], got)
				} else {
					ns[0] = got
				}
			}
		}
		if ns[1] < ns[0] {
			t.Errorf("clock %d goes back from %d to %d", id, ns[0], ns[1])
		}
	}
	*p.pair(0), *p.pair(1) = [2]int64{-1, -1}, [2]int64{-1, -1}
	if r := p.call(address(p.pair(0)), address(p.pair(1)), p.funcs[fnGetcpu]); r != 0 ||
		uint32(p.pair(0)[0]) == ^uint32(0) || uint32(p.pair(1)[0]) == ^uint32(0) {
		t.Errorf("getcpu = %d, %d %d", int(r), *p.pair(0), *p.pair(1))
	}
	// A wall clock before 1970, which the code can't divide.
	p.data.set(stopped(0, -1))
	start := time.Now().UnixNano()
	if got := p.read(t, 0, 0); got < start {
		t.Errorf("CLOCK_REALTIME before 1970 gives %d", got)
	}
	// The host's time(2) is behind by up to a tick of its timer.
	if got := p.call(0, 0, p.funcs[fnTime]); int64(got) < (start-100e6)/1e9 {
		t.Errorf("time before 1970 gives %d", got)
	}
}

// TestAgainstClock checks that programs see what the kernel's clock shows.
func TestAgainstClock(t *testing.T) {
	p := newProgram(t)
	const wall = 1_000_000_000_000
	for range 2000 {
		// Somewhere near now, begin a line and bend it.
		var c clock.Clock
		now := p.tsc()
		near := func() uint64 { return now + rand.Uint64N(1<<rand.UintN(40)) - rand.Uint64N(1<<rand.UintN(40)) }
		rate := func() clock.Rate { return clock.Rate{Hz: 1e6 * float64(1+rand.IntN(10000))} }
		c.Start(near(), rand.Uint64N(1<<60), rate())
		if rand.IntN(3) > 0 {
			r := rate()
			c.SetRate(near()-uint64(r.Hz), r)
		}
		params := Params{Wall: wall}
		params.Before, params.After = c.Segments()
		p.data.set(&params)
		for id, wall := range map[int]int64{0: wall, 1: 0} {
			from := c.At(p.tsc())
			got := uint64(p.read(t, id, 0) - wall)
			if to := c.At(p.tsc()); got < from || got > to {
				t.Fatalf("clock %d shows %d, want %d to %d; %+v", id, got, from, to, params)
			}
		}
	}
}

// TestAgainstHost checks with the host's clock that seconds are seconds.
func TestAgainstHost(t *testing.T) {
	p := newProgram(t)
	start := time.Now()
	// sample returns a pair of readings that belong together, as closely as
	// it can.
	sample := func() (tsc uint64, ns int64) {
		best := time.Duration(1 << 62)
		for range 100 {
			a, counter, b := time.Since(start), p.tsc(), time.Since(start)
			if b-a < best {
				best, tsc, ns = b-a, counter, int64(a+b)/2
			}
		}
		return tsc, ns
	}
	tsc0, ns0 := sample()
	time.Sleep(50 * time.Millisecond)
	tsc1, ns1 := sample()
	var c clock.Clock
	c.Start(tsc0, uint64(ns0), clock.Rate{Hz: float64(tsc1-tsc0) / float64(ns1-ns0) * 1e9})
	params := Params{Wall: start.UnixNano()}
	params.Before, params.After = c.Segments()
	p.data.set(&params)
	for range 20 {
		time.Sleep(time.Millisecond)
		for id, wall := range map[int]int64{0: params.Wall, 1: 0} {
			from := time.Since(start)
			got := time.Duration(p.read(t, id, 0) - wall)
			to := time.Since(start)
			// The measurement is far better than 1 % of the span.
			if slack := to / 100; got < from-slack || got > to+slack {
				t.Errorf("clock %d shows %v, want %v to %v", id, got, from, to)
			}
		}
	}
}

// TestHalfway reads while a change has been written half.
func TestHalfway(t *testing.T) {
	p := newProgram(t)
	p.data.set(stopped(monoNS, wallNS-monoNS))
	idle := &p.data.desc[(p.data.seq.Load()+1)&1]
	idle.after.mono.Store(42)
	idle.before.mult.Store(1 << 60)
	if got := p.read(t, 1, 0); got != monoNS {
		t.Errorf("the clock shows %d", got)
	}
}

// TestOvertaken has changes come in the middle of a reading. For that the
// program gets other code, in which reading the counter counts, and up to the
// third time moves seq.
func TestOvertaken(t *testing.T) {
	p := newProgram(t)
	for range 2 { // both descriptions
		p.data.set(stopped(monoNS, wallNS-monoNS))
	}
	text := p.pages[4096:8192]
	at := bytes.Index(text, tscCode[:5])
	if at < 0 || bytes.Contains(text[at+5:], tscCode[:5]) {
		t.Fatal("the counter isn't read exactly once")
	}
	const hook = 3*4096 + 128 // offset of the new code
	count := p.pair(1)
	code := slices.Concat(
		[]byte{0x48, 0x83, 0x05, 0, 0, 0, 0, 1}, // ADDQ $1, count(IP)
		[]byte{0x48, 0x83, 0x3d, 0, 0, 0, 0, 3}, // CMPQ count(IP), $3
		[]byte{0x7f, 8},                         // JGT 8
		[]byte{0x48, 0x83, 0x05, 0, 0, 0, 0, 1}, // ADDQ $1, seq(IP)
		tscCode[:5], []byte{0xc3})               // LFENCE; RDTSC; RET
	relative := func(b []byte, to, from int) { binary.LittleEndian.PutUint32(b, uint32(to-from)) }
	relative(code[3:], int(address(count)-address(&p.pages[0])), hook+8)
	relative(code[11:], int(address(count)-address(&p.pages[0])), hook+16)
	relative(code[21:], int(unsafe.Offsetof(p.data.seq)), hook+26)
	p.write(t, hook, code)
	call := []byte{0xe8, 0, 0, 0, 0}
	relative(call[1:], hook, 4096+at+5)
	p.write(t, 4096+at, call)

	count[0] = 0
	seq := p.data.seq.Load()
	if got := p.read(t, 1, 0); got != monoNS || count[0] != 4 || p.data.seq.Load() != seq+3 {
		t.Errorf("the clock shows %d after %d readings of the counter and %d changes", got, count[0], p.data.seq.Load()-seq)
	}
}

// TestUpdates reads while the parameters change all the time. All of them
// describe the same line, 1 ns for each cycle, by different points of it and
// different fractions, so whoever mixes two of them is far off.
func TestUpdates(t *testing.T) {
	const readers = 3
	p := newProgram(t)
	const wall = 1_000_000_000_000_000_000 // when the counter is 0
	base := p.tsc()
	params := func() *Params {
		segment := func(tsc uint64) clock.Segment {
			shift := 1 + rand.UintN(62)
			return clock.Segment{TSC: tsc, NS: tsc - base, Scale: clock.Scale{Mult: 1 << shift, Shift: uint8(shift)}}
		}
		// The bend that is none may be over or still to come.
		return &Params{
			Before: segment(base - rand.Uint64N(1<<40)),
			After:  segment(p.tsc() - 1<<30 + rand.Uint64N(1<<31)),
			Wall:   int64(wall + base),
		}
	}
	p.data.set(params())
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			last := int64(0)
			for n := 0; !stop.Load() && !t.Failed(); n++ {
				id, offset := 1, -int64(base)
				if n%2 == 0 {
					id, offset = 0, wall
				}
				from := int64(p.tsc())
				got := p.read(t, id, i) - offset
				if to := int64(p.tsc()); got < from || got > to {
					t.Errorf("clock %d shows %d, want %d to %d", id, got, from, to)
				}
				if got < last {
					t.Errorf("clock %d goes back from %d to %d", id, last, got)
				}
				last = got
			}
		})
	}
	for range 200_000 {
		p.data.set(params())
	}
	stop.Store(true)
	wg.Wait()
}

func BenchmarkClockGettime(b *testing.B) {
	p := newProgram(b)
	p.data.set(stopped(monoNS, 0))
	for range b.N {
		p.call(1, address(p.pair(0)), p.funcs[fnClockGettime])
	}
}
