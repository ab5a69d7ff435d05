package unionfs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst/insttest"
	"mult/kern/abi"
)

// copyWhile copies the root, and calls f between any two steps.
func (o *ours) copyWhile(t *testing.T, m *hosted.Machine, f func(step int)) *ours {
	t.Helper()
	l, err := o.c.Resolve(nil, "/", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	in := insttest.Child(t, o.in, "copy")
	step := 0
	s, err := tmpfs.Copy(in, m.Memory(), l.Node, func() error {
		if step > 1000 {
			t.Fatal("the copy has no end")
		}
		f(step)
		step++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(s, 0); err != nil {
		t.Fatal(err)
	}
	c, err := newOurs(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCopyRenamed copies a directory in which somebody renames a file, or a directory, to
// and fro, once between any two looks.
func TestCopyRenamed(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	m := hosted.New(16 << 20)
	defer m.Close()
	o := mounted(t, m, placed(t, m, dir), Options{})
	cwd := abi.AT_FDCWD
	for _, top := range []string{"/new", "/e"} {
		o.mkdir(cwd, top, 0o755)
		o.mkdir(cwd, top+"/x", 0o755)
		c := o.copyWhile(t, m, func(step int) {
			names := []string{"/x", "/y"}
			if e := o.rename(cwd, top+names[step%2], cwd, top+names[(step+1)%2], 0); e != 0 {
				t.Fatal(e)
			}
		})
		c.everything(t, "/", true)
		c.endCopy(t)
	}
	o.end(t)
}

// TestCopyCut copies a large file of the image of which nothing is as there. Somebody cuts
// it off meanwhile and extends it again: content of the image doesn't come back.
func TestCopyCut(t *testing.T) {
	const size = 2 << 20
	dir := t.TempDir()
	fill(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "large"), bytes.Repeat([]byte("image"), size/5), 0o644); err != nil {
		t.Fatal(err)
	}
	m := hosted.New(64 << 20)
	defer m.Close()
	image := placed(t, m, dir)
	cut := true
	for at := 0; cut; at++ {
		o := mounted(t, m, image, Options{})
		fd, e := o.open(abi.AT_FDCWD, "/large", abi.O_RDWR, 0)
		if e != 0 {
			t.Fatal(e)
		}
		o.pwrite(fd, bytes.Repeat([]byte("other"), size/5), 0)
		cut = false
		c := o.copyWhile(t, m, func(step int) {
			if step == at {
				cut = true
				if e := o.ftruncate(fd, 0) | o.ftruncate(fd, size); e != 0 {
					t.Fatal(e)
				}
			}
		})
		copied, _ := c.open(abi.AT_FDCWD, "/large", abi.O_RDONLY, 0)
		b := make([]byte, size)
		if n, _ := c.pread(copied, b, 0); n < size-5 {
			t.Errorf("cut at step %d: %d bytes", at, n)
		}
		c.close(copied)
		if bytes.Contains(b, []byte("image")) {
			t.Errorf("cut at step %d: there is content of the image", at)
		}
		c.everything(t, "/", true)
		c.endCopy(t)
		o.end(t)
	}
}
