package tmpfs

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"testing"

	"mult/arch/hosted"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/mem"
	"mult/kern/vm"
)

var members = []inst.Member{vfs.Member}

// bench is a file system and a file in it.
type bench struct {
	t     testing.TB
	in    *inst.Inst
	super *vfs.Super
	f     *regular
}

func newBench(t testing.TB, m *hosted.Machine, o Options) *bench {
	t.Helper()
	in := insttest.New(t, "tmpfs", members...)
	s, err := New(in, m.Memory(), o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, in: in, super: s}
	if o.Lower != nil {
		n, err := s.Root.(*dir).Lookup("file", true)
		if err != nil {
			t.Fatal(err)
		}
		n.Retain()
		b.f = n.(*regular)
		return b
	}
	n, err := s.Root.(*dir).Make("file", &vfs.Make{Mode: abi.S_IFREG | 0o644})
	if err != nil {
		t.Fatal(err)
	}
	b.f = n.(*regular)
	return b
}

func (b *bench) end() {
	b.t.Helper()
	b.f.Release()
	b.super.Unmounted()
	b.in.Release()
	if h, f := b.in.Used(inst.Heap), b.in.Used(inst.Frames); h != 0 || f != 0 {
		b.t.Errorf("%d bytes and %d frames left", h, f)
	}
}

func (b *bench) write(p []byte, off int64) {
	b.t.Helper()
	if _, err := b.f.WriteAt(vm.KernelUio(p), off, math.MaxInt64); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(off int64, n int) []byte {
	b.t.Helper()
	p := make([]byte, n)
	u := vm.KernelUio(p)
	if err := b.f.ReadAt(u, off); err != nil {
		b.t.Fatal(err)
	}
	return p[:u.Done()]
}

func (b *bench) resize(n int64) {
	b.t.Helper()
	if err := b.f.SetAttr(&vfs.SetAttr{Mask: vfs.SetSize, Size: n}); err != nil {
		b.t.Fatal(err)
	}
}

// flat is a Lower with one file.
type flat struct{ content []byte }

func (f flat) Root() uint64  { return 1 }
func (f flat) MaxID() uint64 { return 10 }
func (f flat) Node(id uint64) (LowNode, error) {
	return flatNode{f, id == 1}, nil
}

type flatNode struct {
	flat
	dir bool
}

func (n flatNode) Attr() LowAttr {
	if n.dir {
		return LowAttr{Mode: abi.S_IFDIR | 0o755, Nlink: 2}
	}
	return LowAttr{Mode: abi.S_IFREG | 0o644, Nlink: 1, Size: int64(len(n.content))}
}
func (n flatNode) Lookup(name string) (LowEntry, error) {
	if name != "file" {
		return LowEntry{}, errno.ENOENT
	}
	return LowEntry{"file", 2, abi.DT_REG}, nil
}
func (n flatNode) ReadDir(i int64, f func(int64, LowEntry) bool) error {
	if i == 0 {
		f(0, LowEntry{"file", 2, abi.DT_REG})
	}
	return nil
}
func (n flatNode) Readlink() (string, error) { return "", errno.EINVAL }
func (n flatNode) Span(off, k uint64) []byte {
	if off >= uint64(len(n.content)) {
		return nil
	}
	return n.content[off:min(off+min(k, 1000), uint64(len(n.content)))] // in small pieces
}
func (n flatNode) Page(k uint64) (mem.PA, error) { return 0, errno.ENODEV }

// TestContent holds random changes of a file against a slice, with and without
// something below.
func TestContent(t *testing.T) {
	m := hosted.New(16 << 20)
	defer m.Close()
	for seed := range int64(16) {
		r := rand.New(rand.NewSource(seed))
		var o Options
		var want []byte
		if seed%2 == 1 {
			want = make([]byte, r.Intn(60000))
			r.Read(want)
			o.Lower = flat{bytes.Clone(want)}
		}
		b := newBench(t, m, o)
		for step := range 300 {
			off := r.Intn(80000)
			if r.Intn(2) == 0 {
				off = off / 4096 * 4096
			}
			n := 1 + r.Intn(9000)
			switch r.Intn(5) {
			case 0, 1:
				p := bytes.Repeat([]byte{byte(step)}, n)
				if r.Intn(4) == 0 {
					off = len(want)
					b.write(p, file.Append)
				} else {
					b.write(p, int64(off))
				}
				if grow := off + n - len(want); grow > 0 {
					want = append(want, make([]byte, grow)...)
				}
				copy(want[off:], p)
			case 2:
				if off > len(want) {
					want = append(want, make([]byte, off-len(want))...)
				}
				want = want[:off:off]
				b.resize(int64(off))
			case 3:
				if err := b.f.Allocate(vfs.FALLOC_FL_PUNCH_HOLE|vfs.FALLOC_FL_KEEP_SIZE, int64(off), int64(n)); err != nil {
					t.Fatal(err)
				}
				if off < len(want) {
					clear(want[off:min(len(want), off+n)])
				}
			case 4:
				if pa, err := b.f.Page(uint64(off/4096), true); err == nil {
					if off/4096*4096 >= len(want) {
						t.Fatal("a page behind the end")
					}
					i := off / 4096 * 4096
					m.Memory().Page(pa)[0] = byte(step)
					want[i] = byte(step)
					m.Memory().Put(pa)
				}
			}
			if got := b.read(0, 200000); !bytes.Equal(got, want) {
				i := 0
				for i < len(got) && i < len(want) && got[i] == want[i] {
					i++
				}
				t.Fatalf("seed %d, step %d: differs at %d; %d bytes, want %d", seed, step, i, len(got), len(want))
			}
			pages := int64(0)
			for n := range uint64(len(want)+pageSize-1) / pageSize {
				if b.f.hasData(n) {
					pages++
				}
			}
			if a := b.f.Attr(); a.Blocks != pages*8 {
				t.Fatalf("seed %d, step %d: %d blocks, want %d", seed, step, a.Blocks, pages*8)
			}
		}
		b.end()
	}
}

// TestHuge does with a file of 8 EiB what must not take long.
func TestHuge(t *testing.T) {
	m := hosted.New(4 << 20)
	defer m.Close()
	b := newBench(t, m, Options{})
	b.resize(math.MaxInt64)
	b.write([]byte("end"), math.MaxInt64-3)
	if _, err := b.f.WriteAt(vm.KernelUio([]byte("x")), math.MaxInt64, math.MaxInt64); err != errno.EFBIG {
		t.Errorf("a write behind all files: %v", err)
	}
	if got := b.read(math.MaxInt64-5, 10); string(got) != "\x00\x00end" {
		t.Errorf("%q", got)
	}
	if off, err := b.f.NextData(5); off != math.MaxInt64/4096*4096 || err != nil {
		t.Errorf("next data at %d, %v", off, err)
	}
	if off, err := b.f.NextHole(math.MaxInt64 - 2); off != math.MaxInt64 || err != nil {
		t.Errorf("next hole at %d, %v", off, err)
	}
	if err := b.f.Allocate(0, 0, 1<<60); err != errno.ENOSPC {
		t.Errorf("all of it: %v", err)
	}
	if err := b.f.Allocate(vfs.FALLOC_FL_PUNCH_HOLE|vfs.FALLOC_FL_KEEP_SIZE, 1, math.MaxInt64-1); err != nil {
		t.Error(err)
	}
	// The last page isn't punched whole, so it stays, with zeros in it.
	if a := b.f.Attr(); a.Size != math.MaxInt64 || a.Blocks != 8 {
		t.Errorf("%+v", a)
	}
	if got := b.read(math.MaxInt64-5, 10); string(got) != "\x00\x00\x00\x00\x00" {
		t.Errorf("%q after the punch", got)
	}
	if _, err := b.f.Page(math.MaxUint64/4096, true); err == nil {
		t.Error("a page behind the end")
	}
	b.resize(0)
	b.end()
}

func TestSeekHoles(t *testing.T) {
	m := hosted.New(4 << 20)
	defer m.Close()
	b := newBench(t, m, Options{Lower: flat{make([]byte, 10000)}})
	b.resize(40000)
	b.write([]byte("x"), 20480)
	if err := b.f.Allocate(vfs.FALLOC_FL_PUNCH_HOLE|vfs.FALLOC_FL_KEEP_SIZE, 4096, 4096); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ off, data, hole int64 }{
		{0, 0, 4096}, {100, 100, 4096}, {4096, 8192, 4096}, {8192, 8192, 12288},
		{12288, 20480, 12288}, {20500, 20500, 24576}, {24576, -1, 24576},
	}
	for _, tt := range tests {
		d, err := b.f.NextData(tt.off)
		if tt.data < 0 && err != errno.ENXIO || tt.data >= 0 && (d != tt.data || err != nil) {
			t.Errorf("data from %d: %d, %v; want %d", tt.off, d, err, tt.data)
		}
		if h, err := b.f.NextHole(tt.off); h != tt.hole || err != nil {
			t.Errorf("hole from %d: %d, %v; want %d", tt.off, h, err, tt.hole)
		}
	}
	b.end()
}

// TestUnlinkedContent keeps the content of a file without names until the last
// user has gone.
func TestUnlinkedContent(t *testing.T) {
	m := hosted.New(4 << 20)
	defer m.Close()
	b := newBench(t, m, Options{})
	b.write(make([]byte, 10000), 0)
	b.super.Tree.Lock()
	if err := b.super.Root.(*dir).Remove("file", b.f); err != nil {
		t.Fatal(err)
	}
	b.super.Tree.Unlock()
	if b.in.Used(inst.Frames) != 3 || len(b.read(0, 20000)) != 10000 {
		t.Error("the content is gone")
	}
	b.f.Release()
	if n := b.in.Used(inst.Frames); n != 0 {
		t.Errorf("%d frames left", n)
	}
	b.f, _ = newFile(b, "file")
	b.end()
}

func newFile(b *bench, name string) (*regular, error) {
	n, err := b.super.Root.(*dir).Make(name, &vfs.Make{Mode: abi.S_IFREG})
	if err != nil {
		return nil, err
	}
	return n.(*regular), nil
}

// TestEmptiedShrinks wants directories and files that were large to keep no room
// for what isn't charged any more.
func TestEmptiedShrinks(t *testing.T) {
	b := newBench(t, hosted.New(32<<20), Options{})
	defer b.end()
	d := b.super.Root.(*dir)
	const most, left = 1000, 10
	for i := range most {
		n, err := d.Make(fmt.Sprint(i), &vfs.Make{Mode: abi.S_IFREG})
		if err != nil {
			t.Fatal(err)
		}
		n.Release()
		pa, err := b.f.fs.takePage()
		if err == nil {
			err = b.f.own.set(b.in, uint64(i*chunkPages), pa|1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range most - left {
		n := d.entries[fmt.Sprint(i)].node
		n.Retain()
		if err := d.Remove(fmt.Sprint(i), n); err != nil {
			t.Fatal(err)
		}
		n.Release()
		b.f.fs.putPage(b.f.own.get(uint64(i*chunkPages)) &^ 1)
		b.f.own.clear(b.in, uint64(i*chunkPages))
	}
	if n := len(d.entries); n != left+1 || d.most > most/8 {
		t.Errorf("%d names, and room for %d", n, d.most)
	}
	if n := len(b.f.own.chunks); n != left || b.f.own.most > most/8 {
		t.Errorf("%d chunks, and room for %d", n, b.f.own.most)
	}
}

// TestRecent looks for names that were found a moment ago and have since been removed
// or moved, or given to other files, many in each place of FS.recent.
func TestRecent(t *testing.T) {
	m := hosted.New(16 << 20)
	defer m.Close()
	b := newBench(t, m, Options{})
	root := b.super.Root.(*dir)
	root.fs.nextIno.Store(root.ino + recentNames - 1) // the same names get the same places
	v, err := root.Make("sub", &vfs.Make{Mode: abi.S_IFDIR | 0o755})
	if err != nil {
		t.Fatal(err)
	}
	dirs := []*dir{root, v.(*dir)}
	const names = 3 * recentNames
	var want [2][names]vfs.Node
	r := rand.New(rand.NewSource(1))
	for range 20 * names {
		i, k := r.Intn(2), r.Intn(names)
		d, name, n := dirs[i], fmt.Sprint("n", k), want[i][k]
		for range 2 {
			if got, err := d.Lookup(name, false); got != n || (err == errno.ENOENT) != (n == nil) {
				t.Fatalf("%s in %d: %v, %v; want %v", name, i, got, err, n)
			}
		}
		switch other := want[1-i][k]; {
		case n == nil:
			if n, err = d.Make(name, &vfs.Make{Mode: abi.S_IFREG | 0o644}); err != nil {
				t.Fatal(err)
			}
			n.Release() // the name keeps it
			want[i][k] = n
		case r.Intn(2) == 0:
			n.Retain()
			err = d.Remove(name, n)
			n.Release()
			want[i][k] = nil
		case other != nil && r.Intn(2) == 0:
			err = d.Exchange(name, n, dirs[1-i], name, other)
			want[i][k], want[1-i][k] = other, n
		default:
			if other != nil {
				other.Retain()
			}
			err = d.Rename(name, n, dirs[1-i], name, other)
			if other != nil {
				other.Release()
			}
			want[i][k], want[1-i][k] = nil, n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range root.fs.recent.Load() {
		if e := root.fs.recent.Load()[i].Load(); e != nil && (e.node == nil || e.in.entries[e.name] != e) {
			t.Errorf("place %d keeps an entry that is gone", i)
		}
	}
	v.Release()
	b.end()
}
