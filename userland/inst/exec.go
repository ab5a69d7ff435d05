package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
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
			return p, err
		}
	}
	return nil, &instcall.Error{Errno: syscall.ENOENT, Text: fmt.Sprintf("instance %s: there is no %s in %s", name, args[0], searchPath)}
}

// lastWords is how long others may keep a stream open after the process has ended.
const lastWords = time.Second

// copies are what copies streams of a process.
type copies struct {
	streams int
	done    chan bool    // a value from each at its end
	writing atomic.Int32 // how many have read something and not got rid of it
}

func newCopies() *copies { return &copies{done: make(chan bool, 2)} }

// add begins to copy one stream, one of two at most.
func (c *copies) add(to io.Writer, from io.Reader) {
	c.streams++
	go func() {
		io.Copy(counted{to, &c.writing}, from)
		c.done <- true
	}()
}

// end waits until all streams have ended. The process has: when they could have been read for
// limit all the same, it is others that have them. The time in which this program's own output
// takes no more doesn't count, or what the process has written last would be lost.
func (c *copies) end(limit time.Duration) {
	const looks = 10
	look := time.NewTicker(limit / looks)
	defer look.Stop()
	for n := 0; c.streams > 0 && n < looks; {
		select {
		case <-c.done:
			c.streams--
		case <-look.C:
			if c.writing.Load() == 0 {
				n++
			}
		}
	}
}

// counted is a Writer that tells when it is at work.
type counted struct {
	io.Writer
	writing *atomic.Int32
}

func (w counted) Write(b []byte) (int, error) {
	w.writing.Add(1)
	defer w.writing.Add(-1)
	return w.Writer.Write(b)
}

// relay passes what the process reads and writes, until it has ended.
func relay(p *instcall.Process) (syscall.WaitStatus, error) {
	go func() {
		io.Copy(p.In, os.Stdin)
		p.In.Close()
	}()
	c := newCopies()
	c.add(os.Stdout, p.Out)
	c.add(os.Stderr, p.Err)
	s, err := p.Wait()
	c.end(lastWords)
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
	restore := func() { ioctl(os.Stdin, tcsets, unsafe.Pointer(&old)) }
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s := (<-ended).(syscall.Signal)
		restore()
		os.Exit(128 + int(s))
	}()
	return restore, nil
}

// endOfFile is what is typed on a terminal at the end.
const endOfFile = 4

// typeAll types a file or a pipe on a terminal, and its end. That doesn't count in a line that
// has begun, so the last one is ended if need be.
func typeAll(to io.Writer, from io.Reader) {
	b := make([]byte, 4096)
	end := ""
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
			if end = ""; b[n-1] != '\n' {
				end = "\n"
			}
		}
		if err != nil {
			to.Write(append([]byte(end), endOfFile))
			return
		}
	}
}

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
	go typeAll(p.In, os.Stdin) // that of a terminal ends otherwise
	c := newCopies()
	c.add(os.Stdout, p.In) // until it is hung up
	s, err := p.Wait()
	c.end(lastWords)
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
		RunE: func(_ *cobra.Command, args []string) error {
			program := args[1:]
			if program[0] == "--" && len(program) > 1 {
				program = program[1:] // as others type it
			}
			return run(args[0], program, terminal)
		},
	}
	exec.Flags().SetInterspersed(false)
	exec.Flags().BoolVarP(&terminal, "terminal", "t", false, "give it a terminal of its own")
	console := &cobra.Command{
		Use: "console NAME", Short: "run a shell in an instance, on a terminal", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return run(args[0], []string{"/bin/sh", "-l"}, true) },
	}
	return []*cobra.Command{exec, console}
}
