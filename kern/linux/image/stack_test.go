package image

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"mult/kern/errno"
	"mult/kern/vm"
)

// An old is the memory of a program that calls exec.
type old struct {
	t     *testing.T
	space *vm.Space
}

const oldBase = 0x10000000

func newOld(w *world, t *testing.T, pages uint64) old {
	s, err := vm.New(w.sys, w.sib)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Map(vm.MapArgs{Addr: oldBase, Len: pages * pageSize, Prot: vm.Read | vm.Write, Fixed: true})
	if err != nil {
		t.Fatal(err)
	}
	return old{t, s}
}

func (o old) put(a vm.Addr, b []byte) {
	o.t.Helper()
	if err := o.space.CopyOut(a, b); err != nil {
		o.t.Fatal(err)
	}
}

func (o old) putPtrs(a vm.Addr, ptrs ...vm.Addr) {
	o.t.Helper()
	var b []byte
	for _, p := range ptrs {
		b = binary.LittleEndian.AppendUint64(b, uint64(p))
	}
	o.put(a, b)
}

// loadUser is world.load with strings of a program.
func (w *world) loadUser(limits vm.Limits, argv, envp Vector) (*Image, error) {
	b, err := New(w.sys, new(Pages), w.in, limits)
	if err != nil {
		return nil, err
	}
	defer b.Discard()
	if err := b.Strings("a", argv, envp); err != nil {
		return nil, err
	}
	f, err := w.openFile("a")
	if err != nil {
		return nil, err
	}
	if err := b.Load(f, w.openFile); err != nil {
		return nil, err
	}
	return b.Finish(Aux{})
}

// TestUserStrings puts pointers and strings everywhere in a page.
func TestUserStrings(t *testing.T) {
	w := newWorld(t)
	w.add("a", program(etExec, 0x400000))
	const pages = 64
	o := newOld(w, t, pages)
	end := vm.Addr(oldBase + pages*pageSize)
	long := strings.Repeat("long", 20000)
	for _, tt := range []struct {
		name string
		ptrs vm.Addr
		at   []vm.Addr
		str  []string
	}{
		{"plain", oldBase, []vm.Addr{oldBase + 0x1000, oldBase + 0x1010}, []string{"one", "two"}},
		{"straddling pages", oldBase + pageSize - 12, []vm.Addr{oldBase + 3*pageSize - 2, oldBase + 4*pageSize - 5}, []string{"abcdef", "ghij"}},
		{"empty", oldBase, []vm.Addr{oldBase + 0x1000, oldBase + 0x1001}, []string{"", ""}},
		{"pointers up to the end", end - 24, []vm.Addr{oldBase, oldBase + 0x100}, []string{"x", "y"}},
		{"string up to the end", oldBase, []vm.Addr{end - 4, end - 1}, []string{"abc", ""}},
		{"long", oldBase, []vm.Addr{oldBase + 0x1003, oldBase + 0x20001}, []string{long, long[1:]}},
		{"none", oldBase, nil, nil},
	} {
		for i, s := range tt.str {
			o.put(tt.at[i], append([]byte(s), 0))
		}
		o.putPtrs(tt.ptrs, append(slices.Clone(tt.at), 0)...)
		v := UserStrings(o.space, tt.ptrs)
		img, err := w.loadUser(usual, v, v)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		s := w.start(img)
		argv := tt.str
		if len(argv) == 0 {
			argv = []string{""}
		}
		if !slices.Equal(s.argv, argv) || !slices.Equal(s.envp, tt.str) {
			t.Errorf("%s: argv and envp differ from what was given", tt.name)
		}
		drop(img)
	}

	// Many strings, more than are read at a time.
	o.put(oldBase, []byte("same\x00"))
	ptrs := make([]vm.Addr, 1000)
	for i := range ptrs {
		ptrs[i] = oldBase + vm.Addr(i%5)
	}
	o.putPtrs(oldBase+0x1008, append(ptrs, 0)...)
	img, err := w.loadUser(usual, UserStrings(o.space, oldBase+0x1008), UserStrings(o.space, 0))
	if err != nil {
		t.Fatal(err)
	}
	s := w.start(img)
	if len(s.argv) != 1000 || len(s.envp) != 0 {
		t.Errorf("%d arguments, %d in the environment", len(s.argv), len(s.envp))
	}
	for i, got := range s.argv {
		if got != "same"[i%5:] {
			t.Fatalf("argument %d is %q", i, got)
		}
	}
	drop(img)

	for _, tt := range []struct {
		name string
		ptrs []vm.Addr
		at   vm.Addr
	}{
		{"string in no memory", []vm.Addr{0x5000, 0}, oldBase},
		{"string in the kernel", []vm.Addr{0xffff888000000000, 0}, oldBase},
		{"string at the end of numbers", []vm.Addr{^vm.Addr(0), 0}, oldBase},
		{"string runs out of memory", []vm.Addr{end - 1, 0}, oldBase},
		{"no null pointer", []vm.Addr{oldBase + 0x100}, end - 8},
	} {
		o.put(oldBase+0x100, []byte("x\x00"))
		o.put(end-1, []byte("x"))
		o.putPtrs(tt.at, tt.ptrs...)
		if _, err := w.loadUser(usual, UserStrings(o.space, tt.at), Vector{}); err != errno.EFAULT {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, a := range []vm.Addr{1, 0x5000, end, end - 4, vm.MaxAddr, 1 << 63, ^vm.Addr(0), ^vm.Addr(7)} {
		if _, err := w.loadUser(usual, UserStrings(o.space, a), Vector{}); err != errno.EFAULT {
			t.Errorf("argv at %#x: %v", uint64(a), err)
		}
		if _, err := w.loadUser(usual, Vector{}, UserStrings(o.space, a)); err != errno.EFAULT {
			t.Errorf("envp at %#x: %v", uint64(a), err)
		}
	}
	// The program that could not be replaced still has its memory.
	o.putPtrs(oldBase+0x200, oldBase+0x100, 0)
	before := o.space.Stats()
	w.files["a"].data = w.files["a"].data[:100]
	if _, err := w.loadUser(usual, UserStrings(o.space, oldBase+0x200), Vector{}); err != errno.ENOEXEC {
		t.Errorf("a program cut off: %v", err)
	}
	if got := o.space.Stats(); got != before {
		t.Errorf("memory was %+v, is %+v", before, got)
	}
	if got := peekString(t, o.space, oldBase+0x100); got != "x" {
		t.Errorf("an argument became %q", got)
	}
	o.space.Release()
	w.checkEmpty()
}

// TestChangingString has strings with NULs inside, as when another thread of
// the old program writes to them while they are copied.
func TestChangingString(t *testing.T) {
	w := newWorld(t)
	f := w.add("a", program(etExec, 0x400000))
	b, err := New(w.sys, new(Pages), w.in, usual)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Strings("a", Strings("one", "two\x00\x00three"), Strings("x\x00y", "z")); err != nil {
		t.Fatal(err)
	}
	f.open++
	if err := b.Load(f, w.openFile); err != nil {
		t.Fatal(err)
	}
	img, err := b.Finish(Aux{})
	if err != nil {
		t.Fatal(err)
	}
	s := w.start(img)
	if len(s.argv) != 2 || len(s.envp) != 2 || img.EnvEnd > vm.Addr(s.auxv[atExecfn]) {
		t.Errorf("argv is %q, envp %q, ending at %#x", s.argv, s.envp, uint64(img.EnvEnd))
	}
	drop(img)
	w.checkEmpty()
}

func TestStringLimits(t *testing.T) {
	w := newWorld(t)
	w.add("a", program(etExec, 0x400000))
	x := func(n int) string { return strings.Repeat("x", n) }
	many := func(n, size int) []string { return slices.Repeat([]string{x(size - 1)}, n) }
	const unlimited = ^uint64(0)
	for _, tt := range []struct {
		name  string
		stack uint64
		argv  []string
		envp  []string
		want  error
	}{
		{"longest string", unlimited, many(1, maxString), nil, nil},
		{"too long a string", unlimited, many(1, maxString+1), nil, errno.E2BIG},
		{"too long in the environment", unlimited, nil, many(1, maxString+1), errno.E2BIG},
		{"a quarter of 8 MiB", 8 << 20, many(2<<20/1008-1, 1000), nil, nil},
		{"more than a quarter", 8 << 20, many(2<<20/1008+1, 1000), nil, errno.E2BIG},
		{"split", 8 << 20, many(1200, 1000), many(1200, 1000), errno.E2BIG},
		{"6 MiB", unlimited, many(6<<20/100008-1, 100000), nil, nil},
		{"more than 6 MiB", unlimited, many(6<<20/100008+1, 100000), nil, errno.E2BIG},
		{"more than 6 MiB of 100", 100 << 20, many(6<<20/100008+1, 100000), nil, errno.E2BIG},
		{"128 KiB are always allowed", 1, many(13, 10000), nil, nil},
		{"and not more", 4096, many(14, 10000), nil, errno.E2BIG},
		{"many pointers", 1, many(10000, 1), nil, nil},
		{"too many pointers", 1, many(16384, 1), nil, errno.E2BIG},
		{"far too many pointers", 1, many(1<<20, 1), nil, errno.E2BIG},
		{"as many as fit", unlimited, many(6<<20/9-10, 1), nil, nil},
		{"one kind has no room", 1, many(9000, 1), many(9000, 1), errno.E2BIG},
	} {
		img, err := w.load(call{path: "a", argv: tt.argv, envp: tt.envp, limits: vm.Limits{AS: none, Data: none, Stack: tt.stack}})
		if err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		size := uint64(0)
		for _, s := range slices.Concat(tt.argv, tt.envp) {
			size += uint64(len(s)) + 1
		}
		if got := uint64(img.EnvEnd - img.ArgStart); got != max(size, 1) {
			t.Errorf("%s: %d bytes of strings, want %d", tt.name, got, size)
		}
		// The words below them count the strings.
		p := binary.LittleEndian.Uint64(peek(t, img.Space, img.SP, 8))
		if p != uint64(len(tt.argv)) {
			t.Errorf("%s: argc is %d", tt.name, p)
		}
		last := img.SP + vm.Addr(len(tt.argv))*8
		if got := peekString(t, img.Space, vm.Addr(binary.LittleEndian.Uint64(peek(t, img.Space, last, 8)))); got != tt.argv[len(tt.argv)-1] {
			t.Errorf("%s: the last argument is not what it was", tt.name)
		}
		drop(img)
	}

	// A script's words count too.
	w.add("s", []byte("#!a "+x(200)+"\n"))
	big := many(131072/1008, 1000)
	big = append([]string{x(131072%1008 - 8 - 1 - 2 - 4)}, big...)
	_, err := w.load(call{path: "s", argv: big, limits: vm.Limits{AS: none, Data: none, Stack: 1}})
	if err != errno.E2BIG {
		t.Errorf("a script whose words don't fit: %v", err)
	}
	w.checkEmpty()
}

// TestHostAuxv compares the order of the auxiliary vector with that of the
// Linux that the test runs on.
func TestHostAuxv(t *testing.T) {
	b, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		t.Skip(err)
	}
	var want []uint64
	for i := 0; i+16 <= len(b); i += 16 {
		// Without AT_RSEQ_FEATURE_SIZE, AT_RSEQ_ALIGN and what is to come.
		switch k := binary.LittleEndian.Uint64(b[i:]); k {
		case 27, 28, 29, 30:
		default:
			want = append(want, k)
		}
	}
	w := newWorld(t)
	w.add("a", program(etExec, 0x400000))
	img := w.mustLoad(call{path: "a", aux: Aux{VDSO: 0x10000, SigFrame: 1}})
	if got := w.start(img).keys; !slices.Equal(got, want) {
		t.Errorf("the keys are %d, on this Linux %d", got, want)
	}
	drop(img)
}

// TestGap looks at where programs begin to use their stack: in the page of their strings
// if these are short, at places that nobody can know.
func TestGap(t *testing.T) {
	w := newWorld(t)
	w.add("a", program(etExec, 0x400000))
	for _, tt := range []struct {
		env   string
		short bool
	}{{"A=b", true}, {"A=" + strings.Repeat("x", 3000), false}} {
		places := make(map[vm.Addr]bool)
		for range 50 {
			img := w.mustLoad(call{path: "a", argv: []string{"a"}, envp: []string{tt.env}})
			places[img.SP%pageSize] = true
			if tt.short && (img.SP-firstUse)/pageSize != img.EnvEnd/pageSize {
				t.Errorf("strings end at %#x, and the stack begins at %#x", uint64(img.EnvEnd), uint64(img.SP))
			}
			drop(img)
		}
		if len(places) < 25 {
			t.Errorf("only %d of 50 places differ", len(places))
		}
	}
	w.checkEmpty()
}
