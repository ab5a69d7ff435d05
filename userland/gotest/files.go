package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

var fileTests = []test{
	{"read-write", readWrite},
	{"append", appendTo},
	{"directories", directories},
	{"links", links},
	{"rename", rename},
	{"errors", fileErrors},
	{"concurrent-files", concurrentFiles},
	{"pipe-deadline", pipeDeadline},
	{"pipe", pipes},
	{"mmap", mmap},
	{"times", fileTimes},
}

// pattern returns n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 31 >> 5)
	}
	return b
}

func readWrite(dir string) error {
	name, want := filepath.Join(dir, "f"), pattern(3<<20+17)
	if err := os.WriteFile(name, want, 0o644); err != nil {
		return err
	}
	got, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d other bytes were read", len(got))
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("middle"), 1<<20); err != nil {
		return err
	}
	b := make([]byte, 6)
	if _, err := f.ReadAt(b, 1<<20); err != nil || string(b) != "middle" {
		return fmt.Errorf("%q, %v", b, err)
	}
	if _, err := f.ReadAt(b, int64(len(want))); err != io.EOF {
		return fmt.Errorf("at the end: %w", err)
	}
	if err := f.Truncate(10); err != nil {
		return err
	}
	if st, err := f.Stat(); err != nil || st.Size() != 10 {
		return fmt.Errorf("size %d, %v", st.Size(), err)
	}
	return f.Sync()
}

func appendTo(dir string) error {
	name := filepath.Join(dir, "f")
	for i := range 10 {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(f, "%d\n", i)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(name)
	if err != nil || string(text) != "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n" {
		return fmt.Errorf("%q, %v", text, err)
	}
	return nil
}

func directories(dir string) error {
	var want []string
	for i := range 10 {
		for k := range 10 {
			name := fmt.Sprintf("%d/%d/file", i, k)
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				return err
			}
			want = append(want, name)
		}
	}
	var got []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("found %v", got)
	}
	return os.RemoveAll(filepath.Join(dir, "5"))
}

func links(dir string) error {
	root, err := os.OpenRoot(dir) // uses the *at calls
	if err != nil {
		return err
	}
	defer root.Close()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		return err
	}
	if err := os.Symlink("f", filepath.Join(dir, "l")); err != nil {
		return err
	}
	if err := os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "h")); err != nil {
		return err
	}
	if to, err := os.Readlink(filepath.Join(dir, "l")); err != nil || to != "f" {
		return fmt.Errorf("readlink: %q, %v", to, err)
	}
	f, err := root.Open("l")
	if err != nil {
		return err
	}
	defer f.Close()
	a, err1 := f.Stat()
	b, err2 := os.Stat(filepath.Join(dir, "h"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !os.SameFile(a, b) {
		return fmt.Errorf("the names are of two files")
	}
	if err := os.Symlink("/", filepath.Join(dir, "out")); err != nil {
		return err
	}
	if _, err := root.Open("out/etc"); err == nil {
		return fmt.Errorf("a root can be left")
	}
	return nil
}

func rename(dir string) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for i := range 100 {
		if err := os.WriteFile(a, fmt.Append(nil, i), 0o600); err != nil {
			return err
		}
		if err := os.Rename(a, b); err != nil {
			return err
		}
		if text, err := os.ReadFile(b); err != nil || string(text) != fmt.Sprint(i) {
			return fmt.Errorf("%q, %v", text, err)
		}
	}
	return nil
}

func fileErrors(dir string) error {
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		return err
	}
	_, missing := os.Open(filepath.Join(dir, "no"))
	_, below := os.Open(filepath.Join(plain, "x"))
	for _, c := range []struct {
		name      string
		got, want error
	}{
		{"missing", missing, syscall.ENOENT},
		{"below a file", below, syscall.ENOTDIR},
		{"there already", os.Mkdir(plain, 0o700), syscall.EEXIST},
		{"not empty", syscall.Rmdir(dir), syscall.ENOTEMPTY},
	} {
		if !errors.Is(c.got, c.want) {
			return fmt.Errorf("%s: %v, want %w", c.name, c.got, c.want)
		}
	}
	return nil
}

func concurrentFiles(dir string) error {
	var work sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		work.Go(func() {
			name := filepath.Join(dir, fmt.Sprint(i))
			want := pattern(10_000 + i)
			for range 10 {
				if errs[i] = os.WriteFile(name, want, 0o600); errs[i] != nil {
					return
				}
				got, err := os.ReadFile(name)
				if err != nil || !bytes.Equal(got, want) {
					errs[i] = fmt.Errorf("%d bytes of %d, %v", len(got), len(want), err)
					return
				}
				if errs[i] = os.Remove(name); errs[i] != nil {
					return
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// pipeDeadline needs pipes in the runtime's poller.
func pipeDeadline(string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

// pipes: 100 pairs of goroutines, blocked in the poller at once.
func pipes(string) error {
	var work sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		want := pattern(100_000)
		work.Go(func() {
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || !bytes.Equal(got, want) {
				errs[i] = fmt.Errorf("%d bytes, %v", len(got), err)
			}
		})
		work.Go(func() {
			w.Write(want) // the reader counts
			w.Close()
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

func mmap(dir string) error {
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(8192); err != nil {
		return err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(m[5000:], "mapped")
	b := make([]byte, 6)
	if _, err := f.ReadAt(b, 5000); err != nil || string(b) != "mapped" {
		return fmt.Errorf("%q, %v", b, err)
	}
	return syscall.Munmap(m)
}

func fileTimes(dir string) error {
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	when := time.Unix(1_000_000_000, 123_000_000)
	if err := os.Chtimes(name, when, when); err != nil {
		return err
	}
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !st.ModTime().Equal(when) {
		return fmt.Errorf("it says %v", st.ModTime())
	}
	return nil
}
