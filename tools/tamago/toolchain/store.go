package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A store is a directory of finished things under names that say what went
// into them. An entry never changes, and it is either complete or not there:
// it is made in a temporary directory, which a rename puts in place. One
// process at a time makes entries.
//
//	lock             held by the process that makes an entry
//	tmp-*            an entry being made, or what a killed process left
//	tools-KEY        the tools and the cache of what they compiled
//	tamago-KEY       a GOROOT
//	build-cache      what the stock toolchain compiled for the tools
type store struct {
	dir      string
	progress io.Writer
}

const tmpPrefix = "tmp-"

// unused is how long an entry is kept after its last use, by name prefix.
// Much room is taken by the tools only, but they also take long to make.
var unused = map[string]time.Duration{
	"tamago-": 24 * time.Hour,
	"tools-":  30 * 24 * time.Hour,
}

// openStore returns the user's store.
func openStore(progress io.Writer) (*store, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, module)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return &store{dir, progress}, nil
}

// logf tells the user what takes so long.
func (s *store) logf(format string, args ...any) {
	fmt.Fprintf(s.progress, "tamago: "+format+"\n", args...)
}

// entry returns the path of the entry called name. If there is none, fill is
// called on an empty directory that becomes the entry.
func (s *store) entry(ctx context.Context, name string, fill func(dir string) error) (string, error) {
	path := filepath.Join(s.dir, name)
	if s.use(path) {
		return path, nil
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if s.use(path) { // another process made it
		return path, nil
	}
	if err := s.clean(); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(s.dir, tmpPrefix)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := fill(tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", err
	}
	return path, nil
}

// use reports whether there is an entry at path and marks it as used now.
func (s *store) use(path string) bool {
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

// clean removes what killed processes left behind and entries nobody uses.
// The lock must be held.
func (s *store) clean() error {
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if !s.stale(d) {
			continue
		}
		// An entry goes at once, like it came.
		tmp := filepath.Join(s.dir, tmpPrefix+d.Name())
		if err := os.Rename(filepath.Join(s.dir, d.Name()), tmp); err != nil {
			return err
		}
		if err := os.RemoveAll(tmp); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) stale(d fs.DirEntry) bool {
	if strings.HasPrefix(d.Name(), tmpPrefix) {
		return true
	}
	for prefix, age := range unused {
		if info, err := d.Info(); err == nil && strings.HasPrefix(d.Name(), prefix) {
			return time.Since(info.ModTime()) > age
		}
	}
	return false
}

// lock waits until no other process makes entries. The kernel drops the lock
// of a process that dies.
func (s *store) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", f.Name(), err)
		}
		if !told {
			s.logf("waiting for another process, which holds %s", f.Name())
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
