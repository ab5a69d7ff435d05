package instinit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/userland/cprog"
)

const (
	limit = 30 * time.Second // for anything, on a busy machine
	page  = 4096
)

// program builds instinit.
func program(t *testing.T) string {
	t.Helper()
	path, err := Build(hosttest.Require(t, host.GCC), cache(t))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func cache(t *testing.T) string {
	t.Helper()
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(checkout, "build", "cprog")
}

// A tree is the root of an instance on the host: instinit, busybox' shell, and
// the program life of testdata.
type tree string

func newTree(t *testing.T) tree {
	t.Helper()
	if os.Geteuid() != 0 {
		hosttest.Skip(t, "namespaces need root")
	}
	life, err := cprog.Build(hosttest.Require(t, host.GCC), cache(t), os.DirFS("testdata"), "life")
	if err != nil {
		t.Fatal(err)
	}
	r := tree(t.TempDir())
	if err := os.Chmod(string(r), 0o755); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{
		"sbin/instinit": program(t), "bin/busybox": hosttest.Require(t, host.Busybox), "bin/life": life,
	} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, to, string(text), 0o755)
	}
	if err := os.Symlink("busybox", filepath.Join(string(r), "bin/sh")); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r tree) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(string(r), name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode))
	if err != nil {
		t.Fatal(err)
	}
}

// rc writes /etc/rc.
func (r tree) rc(t *testing.T, text string) { r.write(t, "etc/rc", "#!/bin/sh\n"+text, 0o755) }

func (r tree) read(name string) string {
	text, err := os.ReadFile(filepath.Join(string(r), name))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// An instance is a process 1 with namespaces of its own. What it and its
// processes write is read from out.
type instance struct {
	*exec.Cmd
	t   *testing.T
	mu  sync.Mutex
	out bytes.Buffer  // [mu]
	got chan struct{} // there may be more in out
	end chan error    // the result of Wait
}

// start runs a program as process 1 in a tree, as a user: instinit with
// arguments, or another.
func (r tree) start(t *testing.T, uid uint32, args ...string) *instance {
	t.Helper()
	if len(args) == 0 || !strings.HasPrefix(args[0], "/bin/") {
		args = append([]string{"/sbin/instinit"}, args...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"GIVEN=yes"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: string(r), Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL, // if this process doesn't live to end it
		Credential: &syscall.Credential{Uid: uid, Gid: uid},
	}
	in := &instance{Cmd: cmd, t: t, got: make(chan struct{}, 1), end: make(chan error, 1)}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); errors.Is(err, syscall.EPERM) {
		hosttest.Skip(t, "no namespaces: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	write.Close()
	go in.collect(read)
	go func() { in.end <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill() // and the kernel all others
		cancel()
	})
	return in
}

func (in *instance) collect(from io.ReadCloser) {
	defer from.Close()
	for r := bufio.NewReader(from); ; {
		line, err := r.ReadString('\n')
		in.mu.Lock()
		in.out.WriteString(line)
		in.mu.Unlock()
		select {
		case in.got <- struct{}{}:
		default:
		}
		if err != nil {
			close(in.got)
			return
		}
	}
}

func (in *instance) output() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.out.String()
}

// expect waits until the output has a line that begins with text.
func (in *instance) expect(text string) {
	in.t.Helper()
	after := time.After(limit)
	for !strings.Contains("\n"+in.output(), "\n"+text) {
		select {
		case _, more := <-in.got:
			if !more && !strings.Contains("\n"+in.output(), "\n"+text) {
				in.t.Fatalf("it ended without %q:\n%s", text, in.output())
			}
		case <-after:
			in.t.Fatalf("no %q in %v:\n%s", text, limit, in.output())
		}
	}
}

// send sends process 1 a signal from outside.
func (in *instance) send(sig syscall.Signal) {
	in.t.Helper()
	if err := in.Process.Signal(sig); err != nil {
		in.t.Fatal(err)
	}
}

// wait waits until process 1 ends, and everything with it, and returns the
// output. The status is 0, or as a shell shows it.
func (in *instance) wait(status int) string {
	in.t.Helper()
	after := time.After(limit)
	select {
	case <-in.end:
	case <-after:
		in.t.Fatalf("it hasn't ended in %v:\n%s", limit, in.output())
	}
	for more := true; more; {
		select {
		case _, more = <-in.got:
		case <-after:
			in.t.Fatalf("somebody still has its output:\n%s", in.output())
		}
	}
	ws := in.ProcessState.Sys().(syscall.WaitStatus)
	got := ws.ExitStatus()
	if ws.Signaled() {
		got = 128 + int(ws.Signal())
	}
	if got != status {
		in.t.Errorf("it ended with %d, want %d:\n%s", got, status, in.output())
	}
	return in.output()
}

// idle waits until process 1 waits for a signal and has no children.
func (in *instance) idle() {
	in.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", in.Process.Pid)
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		comm, _ := os.ReadFile(dir + "comm")
		call, _ := os.ReadFile(dir + "syscall")
		children, err := os.ReadFile(dir + fmt.Sprintf("task/%d/children", in.Process.Pid))
		n, _, _ := strings.Cut(string(call), " ")
		if err == nil && string(comm) == "instinit\n" && n == strconv.Itoa(syscall.SYS_RT_SIGTIMEDWAIT) && len(children) == 0 {
			return
		}
		if time.Now().After(end) {
			in.t.Fatalf("not idle: %q, call %q, children %q, %v\n%s", comm, call, children, err, in.output())
		}
	}
}
