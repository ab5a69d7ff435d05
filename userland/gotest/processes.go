package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var processTests = []test{
	{"exec", execOutput},
	{"exec-status", execStatus},
	{"exec-environment", execEnvironment},
	{"exec-directory", execDirectory},
	{"exec-files", execFiles},
	{"exec-many", execMany},
	{"exec-kill", execKill},
	{"exec-missing", execMissing},
}

// helper is what this program does when a case starts it.
func helper(args []string) int {
	switch args[0] {
	case "@cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			return 1
		}
	case "@exit":
		n, _ := strconv.Atoi(args[1])
		return n
	case "@environment":
		fmt.Print(strings.Join(os.Environ(), "\n"))
	case "@directory":
		dir, err := os.Getwd()
		if err != nil {
			return 1
		}
		fmt.Print(dir)
	case "@third":
		text, err := io.ReadAll(os.NewFile(3, "third"))
		if err != nil {
			return 1
		}
		fmt.Print(string(text))
	case "@sleep":
		fmt.Println("ready")
		select {}
	default:
		return 2
	}
	return 0
}

// self is a command that runs this program.
func self(args ...string) *exec.Cmd {
	path, err := os.Executable()
	if err != nil {
		path = os.Args[0]
	}
	return exec.Command(path, args...)
}

func execOutput(string) error {
	cmd := self("@cat")
	text := strings.Repeat("a line of text\n", 20_000) // more than a pipe holds
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	if string(out) != text {
		return fmt.Errorf("%d bytes came back of %d", len(out), len(text))
	}
	return nil
}

func execStatus(string) error {
	for _, want := range []int{0, 1, 77, 255} {
		cmd := self("@exit", strconv.Itoa(want))
		err := cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != want || (err == nil) != (want == 0) {
			return fmt.Errorf("status %d, %v, want %d", got, err, want)
		}
	}
	return nil
}

func execEnvironment(string) error {
	cmd := self("@environment")
	cmd.Env = []string{"A=1", "EMPTY=", "SPACE=x y"}
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	if string(out) != "A=1\nEMPTY=\nSPACE=x y" {
		return fmt.Errorf("got %q", out)
	}
	return nil
}

func execDirectory(dir string) error {
	cmd := self("@directory")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	if string(out) != dir {
		return fmt.Errorf("got %q, want %q", out, dir)
	}
	return nil
}

func execFiles(string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := self("@third")
	cmd.ExtraFiles = []*os.File{r}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		w.Close()
		return err
	}
	_, err = w.WriteString("through the third")
	if err := errors.Join(err, w.Close(), cmd.Wait()); err != nil {
		return err
	}
	if out.String() != "through the third" {
		return fmt.Errorf("got %q", out.String())
	}
	return nil
}

// execMany starts processes from several goroutines at once.
func execMany(string) error {
	var work sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		work.Go(func() {
			for k := range 5 {
				cmd := self("@cat")
				want := fmt.Sprint(i, k)
				cmd.Stdin = strings.NewReader(want)
				out, err := cmd.Output()
				if err != nil || string(out) != want {
					errs[i] = fmt.Errorf("%q, %v", out, err)
					return
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

func execKill(string) error {
	cmd := self("@sleep")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return fmt.Errorf("it says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	err = cmd.Wait()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		return fmt.Errorf("wait says %w", err)
	}
	if ws := exit.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		return fmt.Errorf("it ended with %v", exit)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("a signal to it afterwards: %w", err)
	}
	return nil
}

func execMissing(dir string) error {
	if err := exec.Command(dir + "/nothing").Run(); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a missing program: %w", err)
	}
	plain := dir + "/plain"
	if err := os.WriteFile(plain, []byte("text"), 0o755); err != nil {
		return err
	}
	if err := exec.Command(plain).Run(); !errors.Is(err, syscall.ENOEXEC) {
		return fmt.Errorf("a file of text: %w", err)
	}
	return nil
}
