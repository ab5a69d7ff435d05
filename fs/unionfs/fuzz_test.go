package unionfs

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"mult/arch/hosted"
	"mult/fs/erofs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
)

// FuzzUnion uses an image that holds anything as the root of an instance.
func FuzzUnion(f *testing.F) {
	dir := f.TempDir()
	fill(f, dir)
	f.Add(imageBytes(f, dir, filepath.Join(f.TempDir(), "image")), uint16(0), uint64(0))
	os.RemoveAll(filepath.Join(dir, "dir2"))
	f.Add(imageBytes(f, dir, filepath.Join(f.TempDir(), "image")), uint16(1500), uint64(77))
	m := hosted.New(16 << 20)
	defer m.Close()
	f.Fuzz(func(t *testing.T, data []byte, at uint16, change uint64) {
		data = append([]byte(nil), data...)
		if len(data) < 2000 {
			return
		}
		// Besides what the fuzzer does: a change where the inodes are.
		i := int(at)%(len(data)-8) + 0
		binary.LittleEndian.PutUint64(data[i:], binary.LittleEndian.Uint64(data[i:])^change)
		binary.LittleEndian.PutUint32(data[1024+8:], 0) // no checksum
		im, err := erofs.Open(data)
		if err != nil {
			return
		}
		in := insttest.New(t, "fuzz", members...)
		in.SetLimit(inst.Heap, 200000)
		in.SetLimit(inst.Frames, 100)
		s, err := New(in, m.Memory(), im, Options{MaxClean: 10})
		if err != nil {
			in.Release()
			return
		}
		if err := vfs.MountRoot(s, 0); err != nil {
			t.Fatal(err)
		}
		o, err := newOurs(in)
		if err != nil {
			t.Fatal(err)
		}
		budget := 300
		o.disturb("", &budget)
		o.end(t)
	})
}

// disturb uses and changes everything below a directory.
func (o *ours) disturb(path string, budget *int) {
	cwd := abi.AT_FDCWD
	fd, e := o.open(cwd, path+"/", abi.O_RDONLY|abi.O_DIRECTORY, 0)
	if e != 0 {
		return
	}
	names, _ := o.names(fd)
	o.close(fd)
	for i, n := range names {
		if *budget--; *budget < 0 {
			return
		}
		p := path + "/" + n
		s, e := o.stat(cwd, p, abi.AT_SYMLINK_NOFOLLOW)
		if e != 0 {
			continue
		}
		switch s.Mode & abi.S_IFMT {
		case abi.S_IFDIR:
			if len(p) < 200 {
				o.disturb(p, budget)
			}
			o.mkdir(cwd, p+"/new", 0o755)
		case abi.S_IFREG:
			if fd, e := o.open(cwd, p, abi.O_RDWR, 0); e == 0 {
				b := make([]byte, 5000)
				o.pread(fd, b, 0)
				o.pwrite(fd, b, s.Size/2)
				o.ftruncate(fd, s.Size/3)
				o.close(fd)
			}
		case abi.S_IFLNK:
			o.readlink(cwd, p)
			o.stat(cwd, p, 0)
		}
		switch i % 4 {
		case 0:
			o.unlink(cwd, p, 0)
			o.unlink(cwd, p, abi.AT_REMOVEDIR)
		case 1:
			o.rename(cwd, p, cwd, "/moved", 0)
		case 2:
			o.link(cwd, p, cwd, path+"/linked", 0)
		case 3:
			o.chmod(cwd, p, 0o700)
		}
	}
}
