package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/spf13/cobra"

	"mult/userland/instcall"
)

// searchPath is where programs are looked for in an instance.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is what programs in an instance begin with.
func environment() []string {
	env := []string{"PATH=" + searchPath, "HOME=/root", "USER=root"}
	if term := os.Getenv("TERM"); term != "" {
		env = append(env, "TERM="+term)
	}
	return env
}

// execute starts a program in an instance: at its path, or where it is found.
func execute(name string, args []string, terminal bool) (p *instcall.Process, err error) {
	if strings.Contains(args[0], "/") {
		return instcall.Exec(name, args[0], args, environment(), terminal)
	}
	for dir := range strings.SplitSeq(searchPath, ":") {
		p, err = instcall.Exec(name, dir+"/"+args[0], args, environment(), terminal)
		if !errors.Is(err, syscall.ENOENT) {
			break
		}
	}
	return p, err
}

// lastWords is how long others may keep a stream open after the process has ended.
const lastWords = time.Second

// relay passes what the process reads and writes, until it has ended.
func relay(p *instcall.Process) (syscall.WaitStatus, error) {
	go func() {
		io.Copy(p.In, os.Stdin)
		p.In.Close()
	}()
	done := make(chan error, 2)
	go func() {
		_, err := io.Copy(os.Stdout, p.Out)
		done <- err
	}()
	go func() {
		_, err := io.Copy(os.Stderr, p.Err)
		done <- err
	}()
	s, err := p.Wait()
	for limit, n := time.After(lastWords), 0; n < 2; n++ {
		select {
		case <-done:
		case <-limit:
			return s, err
		}
	}
	return s, err
}

// Numbers of ioctl(2).
const (
	tcgets, tcsets = 0x5401, 0x5402
)

func ioctl(f *os.File, number uintptr, arg unsafe.Pointer) error {
	_, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), number, uintptr(arg))
	if e != 0 {
		return e
	}
	return nil
}

// raw has the terminal of this program pass all bytes, until the function that it returns
// is called. That is nil if there is no terminal.
func raw() (func(), error) {
	var old syscall.Termios
	if err := ioctl(os.Stdin, tcgets, unsafe.Pointer(&old)); err != nil {
		return nil, nil
	}
	now := old
	now.Iflag &^= syscall.IGNBRK | syscall.BRKINT | syscall.PARMRK | syscall.ISTRIP | syscall.INLCR | syscall.IGNCR | syscall.ICRNL | syscall.IXON
	now.Oflag &^= syscall.OPOST
	now.Lflag &^= syscall.ECHO | syscall.ECHONL | syscall.ICANON | syscall.ISIG | syscall.IEXTEN
	now.Cflag = now.Cflag&^(syscall.CSIZE|syscall.PARENB) | syscall.CS8
	now.Cc[syscall.VMIN], now.Cc[syscall.VTIME] = 1, 0
	if err := ioctl(os.Stdin, tcsets, unsafe.Pointer(&now)); err != nil {
		return nil, err
	}
	return func() { ioctl(os.Stdin, tcsets, unsafe.Pointer(&old)) }, nil
}

// endOfFile is what is typed on a terminal at the end.
const endOfFile = 4

// relayTerminal is relay for a process on a terminal; that of this program, if it has one,
// is raw.
func relayTerminal(p *instcall.Process) (syscall.WaitStatus, error) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	go func() {
		for ; ; <-resized {
			var size [4]uint16
			if ioctl(os.Stdin, syscall.TIOCGWINSZ, unsafe.Pointer(&size)) == nil {
				ioctl(p.In, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
			}
		}
	}()
	go func() {
		io.Copy(p.In, os.Stdin)
		p.In.Write([]byte{endOfFile}) // of a file or a pipe: a terminal is left otherwise
	}()
	done := make(chan bool)
	go func() {
		io.Copy(os.Stdout, p.In) // until it is hung up
		close(done)
	}()
	s, err := p.Wait()
	select {
	case <-done:
	case <-time.After(lastWords):
	}
	return s, err
}

// exit is how a command ends that has waited for a process: as that one.
type exit struct{ status syscall.WaitStatus }

func (exit) Error() string { return "the process has ended" }

// code is what a shell would make of it.
func (e exit) code() int {
	if e.status.Signaled() {
		return 128 + int(e.status.Signal())
	}
	return e.status.ExitStatus()
}

// execCommands are the commands by which programs run in instances.
func execCommands() []*cobra.Command {
	var terminal bool
	run := func(name string, args []string, terminal bool) error {
		with := relay
		if terminal {
			restore, err := raw()
			if err != nil {
				return err
			}
			if restore != nil {
				defer restore()
			}
			with = relayTerminal
		}
		p, err := execute(name, args, terminal)
		if err != nil {
			return err
		}
		s, err := with(p)
		if err != nil {
			return err
		}
		return exit{s}
	}
	exec := &cobra.Command{
		Use: "exec NAME PROGRAM [ARGUMENT...]", Short: "run a program in an instance", Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return run(args[0], args[1:], terminal) },
	}
	exec.Flags().SetInterspersed(false)
	exec.Flags().BoolVarP(&terminal, "terminal", "t", false, "give it a terminal of its own")
	console := &cobra.Command{
		Use: "console NAME", Short: "run a shell in an instance, on a terminal", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return run(args[0], []string{"/bin/sh", "-l"}, true) },
	}
	return []*cobra.Command{exec, console}
}
