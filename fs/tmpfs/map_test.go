package tmpfs

import (
	"testing"

	"mult/arch"
	"mult/arch/hosted"
	"mult/fs/vfs"
	"mult/kern/errno"
	"mult/kern/mem"
	"mult/kern/vm"
)

// shown is a file as the object of a mapping.
type shown struct{ *regular }

func (s shown) Key() any                       { return s.regular }
func (s shown) Name() (string, uint64, uint64) { return "/file", 0, 0 }

// framed is a Lower with one file, whose pages are frames.
type framed struct {
	flat
	memory *mem.Memory
	frames []mem.PA
}

func (f framed) Node(id uint64) (LowNode, error) {
	return framedNode{flatNode{f.flat, id == 1}, f}, nil
}

type framedNode struct {
	flatNode
	f framed
}

func (n framedNode) Page(k uint64) (mem.PA, error) {
	n.f.memory.Get(n.f.frames[k])
	return n.f.frames[k], nil
}

// TestMapped changes a file that two address spaces show, and looks at what they
// see.
func TestMapped(t *testing.T) {
	m := hosted.New(16 << 20)
	defer m.Close()
	const pages = 4
	content := make([]byte, pages*pageSize)
	low := framed{memory: m.Memory()}
	for i := range pages {
		content[i*pageSize] = byte(i + 1)
		pa, _ := m.Memory().AllocZero()
		copy(m.Memory().Page(pa)[:], content[i*pageSize:][:pageSize])
		low.frames = append(low.frames, pa)
	}
	low.content = content
	for _, o := range []Options{{}, {Lower: low}} {
		b := newBench(t, m, o)
		if o.Lower == nil {
			b.write(content, 0)
		}
		sys := &vm.System{Machine: m, Memory: m.Memory()}
		var spaces [2]*vm.Space
		var shared, private [2]vm.Addr
		for i := range spaces {
			s, err := vm.New(sys, b.in)
			if err != nil {
				t.Fatal(err)
			}
			spaces[i] = s
			for _, at := range []*vm.Addr{&shared[i], &private[i]} {
				*at, err = s.Map(vm.MapArgs{Len: pages * pageSize, Prot: vm.Read | vm.Write, Shared: at == &shared[i], Object: shown{b.f}})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		want := func(what string, page int, both byte, err error) {
			t.Helper()
			for i, s := range spaces {
				for _, at := range []vm.Addr{shared[i], private[i]} {
					var got [1]byte
					if e := s.CopyIn(got[:], at+vm.Addr(page*pageSize)); e != err || got[0] != both {
						t.Errorf("%s, space %d: page %d: %d, %v; want %d, %v", what, i, page, got[0], e, both, err)
					}
				}
			}
		}
		for i := range pages {
			want("at first", i, byte(i+1), nil)
		}
		b.write([]byte{50}, 0)
		want("written", 0, 50, nil)
		if err := spaces[0].CopyOut(shared[0]+pageSize, []byte{51}); err != nil {
			t.Fatal(err)
		}
		want("written in memory", 1, 51, nil)
		// A copy is dropped too when its page is cut off.
		if err := spaces[1].CopyOut(private[1]+3*pageSize, []byte{52}); err != nil {
			t.Fatal(err)
		}
		b.resize(2*pageSize + 1)
		want("cut", 2, 3, nil)
		want("cut", 3, 0, errno.EFAULT)
		if err, ok := spaces[1].Fault(private[1]+3*pageSize, arch.FaultUser).(*vm.FaultError); !ok || err.Signal != 7 {
			t.Errorf("an access behind the end: %v, want SIGBUS", err)
		}
		b.resize(4 * pageSize)
		want("extended", 3, 0, nil)
		b.write([]byte{53}, 3*pageSize)
		want("written again", 3, 53, nil)
		if err := b.f.Allocate(vfs.FALLOC_FL_PUNCH_HOLE|vfs.FALLOC_FL_KEEP_SIZE, pageSize, 2*pageSize); err != nil {
			t.Fatal(err)
		}
		want("punched", 1, 0, nil)
		want("punched", 2, 0, nil)
		want("punched", 3, 53, nil)
		for _, s := range spaces {
			s.Release()
		}
		b.end()
	}
}
