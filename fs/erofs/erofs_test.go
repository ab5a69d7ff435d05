package erofs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"mult/arch/hosted"
	"mult/kern/errno"
	"mult/kern/mem"
)

// find walks to a file by a path without links.
func find(t *testing.T, im *Image, path string) Inode {
	t.Helper()
	i, err := im.Inode(im.Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range splitPath(path) {
		e, err := im.Lookup(&i, name)
		if err != nil {
			t.Fatalf("Lookup(%q) of %q: %v", name, path, err)
		}
		if i, err = im.Inode(e.ID); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func splitPath(p string) []string {
	var s []string
	for _, n := range bytes.Split([]byte(p), []byte("/")) {
		if len(n) > 0 {
			s = append(s, string(n))
		}
	}
	return s
}

// compare holds an image against the directory it was made of.
func compare(t *testing.T, im *Image, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(p string, fi os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if rel == "." {
			rel = ""
		}
		i := find(t, im, rel)
		if got, want := i.Mode&0o777, uint32(fi.Mode().Perm()); rel != "" && got != want {
			t.Errorf("%s: mode %o, want %o", rel, got, want)
		}
		switch {
		case fi.Mode().IsRegular():
			want, _ := os.ReadFile(p)
			got := make([]byte, len(want)+10)
			n := im.ReadAt(&i, got, 0)
			if !bytes.Equal(got[:n], want) {
				t.Errorf("%s: content differs", rel)
			}
			if n := im.ReadAt(&i, got, i.Size); n != 0 {
				t.Errorf("%s: %d bytes behind the end", rel, n)
			}
		case fi.Mode()&os.ModeSymlink != 0:
			want, _ := os.Readlink(p)
			if got, err := im.Readlink(&i); err != nil || got != want {
				t.Errorf("%s: link %q, %v", rel, got, err)
			}
		case fi.IsDir():
			list, _ := os.ReadDir(p)
			var want, got []string
			for _, e := range list {
				want = append(want, e.Name())
			}
			var at []int64
			err := im.ReadDir(&i, 0, func(k int64, e Entry) bool {
				got, at = append(got, e.Name), append(at, k)
				return true
			})
			sort.Strings(got)
			if err != nil || len(got) != len(want) {
				t.Errorf("%s: %d names, want %d: %v", rel, len(got), len(want), err)
			}
			for k := range got {
				if got[k] != want[k] {
					t.Errorf("%s: name %q, want %q", rel, got[k], want[k])
				}
			}
			if len(at) > 2 {
				k := at[len(at)/2]
				n := 0
				im.ReadDir(&i, k, func(int64, Entry) bool { n++; return true })
				if n != len(at)-len(at)/2 {
					t.Errorf("%s: %d names from %d on", rel, n, k)
				}
			}
			for _, name := range []string{"a", "zzz", "many\xff", "!", "a-name-of-some-length-399x"} {
				if _, err := im.Lookup(&i, name); err != errno.ENOENT {
					t.Errorf("%s: Lookup(%q) = %v", rel, name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImage(t *testing.T) {
	dir := sample(t)
	for _, args := range [][]string{nil, {"-E", "force-inode-extended"}, {"-E", "noinline_data"}, {"-x-1"}} {
		im, err := Open(build(t, dir, args...))
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		compare(t, im, dir)
		if i := find(t, im, "hard"); i.Nlink != 2 || i.ID != find(t, im, "size/17").ID {
			t.Errorf("hard link: %+v", i)
		}
		if i := find(t, im, "size/1"); i.Mode != 0o104751 || i.UID != 0 {
			t.Errorf("mode %o", i.Mode)
		}
		if _, err := os.Lstat(filepath.Join(dir, "dev")); err == nil {
			if i := find(t, im, "dev"); i.Mode&modeType != modeChar || i.Rdev != 300<<8|700&0xff|700&^0xff<<12 {
				t.Errorf("device: %+v", i)
			}
		}
	}
}

// TestPages holds pages against content, in place and copied.
func TestPages(t *testing.T) {
	dir := sample(t)
	data := build(t, dir)
	m := hosted.New(16 << 20)
	defer m.Close()
	memory := m.Memory()
	for _, shift := range []mem.PA{0, 512} {
		free := memory.Stats().Free
		base := 4<<20 + shift // in the pool, but nobody else allocates here
		ram := (*[1 << 22]byte)(ptr(m, base))[:len(data)]
		copy(ram, data)
		im, err := Open(ram)
		if err != nil {
			t.Fatal(err)
		}
		im.Place(memory, base)
		for _, name := range []string{"size/4096", "size/4097", "size/100000", "size/17", "hard"} {
			i := find(t, im, name)
			want := make([]byte, i.Size)
			im.ReadAt(&i, want, 0)
			for n := uint64(0); n*mem.PageSize < i.Size; n++ {
				pa, err := im.Page(&i, n)
				if err != nil {
					t.Fatal(err)
				}
				p := memory.Page(pa)
				rest := want[n*mem.PageSize:]
				k := min(len(rest), mem.PageSize)
				if !bytes.Equal(p[:k], rest[:k]) || len(bytes.Trim(p[k:], "\x00")) != 0 {
					t.Errorf("%s: page %d differs", name, n)
				}
				inImage := pa >= base && pa < base+mem.PA(len(data))
				if whole := k == mem.PageSize; shift == 0 && whole && !inImage || shift != 0 && inImage {
					t.Errorf("%s: page %d in the image: %v", name, n, inImage)
				}
				memory.Put(pa)
			}
			if _, err := im.Page(&i, (i.Size+mem.PageSize-1)/mem.PageSize); err == nil {
				t.Errorf("%s: a page behind the end", name)
			}
		}
		kept := uint64(len(im.copies))
		if now := memory.Stats().Free; free-now != kept {
			t.Errorf("%d frames used for %d copies", free-now, kept)
		}
	}
}

// TestCopiesBounded asks for more pages than are kept.
func TestCopiesBounded(t *testing.T) {
	data := build(t, sample(t))
	m := hosted.New(32 << 20)
	defer m.Close()
	im, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	im.Place(m.Memory(), 16<<20)
	i := find(t, im, "size/17")
	for id := range uint64(3 * maxCopies) {
		i.ID = id // any number: only the key of the cache
		pa, err := im.Page(&i, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Memory().Put(pa)
	}
	if len(im.copies) != maxCopies || len(im.order) != maxCopies {
		t.Errorf("%d copies kept", len(im.copies))
	}
}

func TestBadImages(t *testing.T) {
	good := build(t, sample(t))
	tests := []struct {
		name string
		do   func(b []byte) []byte
		err  error
	}{
		{"short", func(b []byte) []byte { return b[:1100] }, errno.EINVAL},
		{"magic", func(b []byte) []byte { b[1024]++; return b }, errno.EINVAL},
		{"checksum", func(b []byte) []byte { b[1024+50]++; return b }, errno.EBADMSG},
		{"block size", func(b []byte) []byte { b[1024+12] = 40; return b }, errno.EINVAL},
		{"feature", func(b []byte) []byte { b[1024+80] |= 4; return b }, errno.EINVAL},
		{"root", func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[1024+8:], 0)
			binary.LittleEndian.PutUint16(b[1024+14:], 0xffff)
			return b[:1<<17]
		}, errno.EUCLEAN},
	}
	for _, tt := range tests {
		if _, err := Open(tt.do(bytes.Clone(good))); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
	}
}

// FuzzImage reads all of an image, whatever is in it.
func FuzzImage(f *testing.F) {
	dir := f.TempDir()
	os.Mkdir(filepath.Join(dir, "d"), 0o755)
	os.WriteFile(filepath.Join(dir, "d", "file"), bytes.Repeat([]byte("x"), 5000), 0o644)
	os.Symlink("d/file", filepath.Join(dir, "link"))
	for _, args := range [][]string{nil, {"-E", "force-inode-extended"}, {"-E", "noinline_data"}} {
		f.Add(build(f, dir, args...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > superOffset+12 {
			data = bytes.Clone(data)
			binary.LittleEndian.PutUint32(data[superOffset+8:], 0) // no checksum
		}
		im, err := Open(data)
		if err != nil {
			return
		}
		budget := 2000
		todo := []uint64{im.Root()}
		for len(todo) > 0 && budget > 0 {
			budget--
			i, err := im.Inode(todo[0])
			todo = todo[1:]
			if err != nil {
				continue
			}
			im.Readlink(&i)
			b := make([]byte, 300)
			im.ReadAt(&i, b, 0)
			if i.Size > 0 {
				if n := im.ReadAt(&i, b, i.Size-1); i.Mode&modeType == modeReg && n != 1 {
					t.Errorf("%d bytes at the end", n)
				}
			}
			im.ReadDir(&i, 0, func(k int64, e Entry) bool {
				budget--
				if len(e.Name) == 0 || len(e.Name) > maxName {
					t.Errorf("name %q", e.Name)
				}
				im.Lookup(&i, e.Name)
				todo = append(todo, e.ID)
				return budget > 0
			})
		}
	})
}
