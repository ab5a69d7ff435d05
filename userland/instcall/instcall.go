// Package instcall lets Go programs make instctl(2): they manage the instances below
// their own.
package instcall

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"mult/kern/abi"
)

// number is that of the call.
const number = 5001

// An Error is the kernel's number and sentence.
type Error struct {
	Errno syscall.Errno
	Text  string
}

func (e *Error) Error() string {
	if e.Errno == syscall.ENOSYS {
		return "this kernel has no instances"
	}
	if e.Text == "" {
		return e.Errno.Error()
	}
	return e.Text
}

// Unwrap returns the number.
func (e *Error) Unwrap() error { return e.Errno }

// textRoom is for the sentence of an error.
const textRoom = 1024

// call makes the call about an instance. data goes in or comes out.
func call(a *abi.Instctl, name string, data []byte) (int, error) {
	var pin runtime.Pinner // the kernel sees addresses, which the collector doesn't
	defer pin.Unpin()
	address := func(b []byte) (uint64, uint64) {
		if len(b) == 0 {
			return 0, 0
		}
		pin.Pin(&b[0])
		return uint64(uintptr(unsafe.Pointer(&b[0]))), uint64(len(b))
	}
	text := make([]byte, textRoom)
	a.Version = abi.InstctlVersion
	a.Name, a.NameLen = address([]byte(name))
	a.Data, a.DataLen = address(data)
	a.Text, a.TextLen = address(text)
	arg := make([]byte, abi.InstctlSize)
	a.Encode(arg)
	n, _, e := syscall.Syscall(number, uintptr(unsafe.Pointer(&arg[0])), uintptr(len(arg)), 0)
	if e != 0 {
		s, _, _ := strings.Cut(string(text), "\x00")
		return 0, &Error{e, s}
	}
	a.Decode(arg)
	return int(n), nil
}

// simple makes a call without data.
func simple(op uint32, name string) error {
	_, err := call(&abi.Instctl{Op: op}, name, nil)
	return err
}

// Create makes an instance, with settings as instctl(2) takes them, and starts it if
// asked. It returns its id.
func Create(name, settings string, start bool) (uint64, error) {
	a := abi.Instctl{Op: abi.INST_CREATE}
	if start {
		a.Flags = abi.INST_STARTED
	}
	_, err := call(&a, name, []byte(settings))
	return a.Value, err
}

// CreateOn makes an instance and starts it with its process 1 on pipes, or on a terminal of
// its own. It returns its id and that process, which may wait until its output is read.
func CreateOn(name, settings string, terminal bool) (uint64, *Process, error) {
	a := abi.Instctl{Op: abi.INST_CREATE, Flags: abi.INST_STARTED | console(terminal)}
	data := append(make([]byte, abi.InstExecSize), settings...)
	_, err := call(&a, name, data)
	if err != nil {
		return 0, nil, err
	}
	return a.Value, process(name, 1, data), nil
}

// Start starts an instance that Create has made.
func Start(name string) error { return simple(abi.INST_START, name) }

// StartOn is Start with process 1 on pipes or on a terminal, as CreateOn.
func StartOn(name string, terminal bool) (*Process, error) {
	data := make([]byte, abi.InstExecSize)
	_, err := call(&abi.Instctl{Op: abi.INST_START, Flags: console(terminal)}, name, data)
	if err != nil {
		return nil, err
	}
	return process(name, 1, data), nil
}

// console returns the flag that gives process 1 a terminal, or pipes.
func console(terminal bool) uint64 {
	if terminal {
		return abi.INST_TTY
	}
	return abi.INST_STREAMS
}

// Stop asks an instance to end, and kills it after grace.
func Stop(name string, grace time.Duration) error {
	_, err := call(&abi.Instctl{Op: abi.INST_STOP, Value: uint64(max(grace, 0))}, name, nil)
	return err
}

// Kill ends an instance.
func Kill(name string) error { return simple(abi.INST_KILL, name) }

// Suspend keeps the processes of an instance from running until Resume.
func Suspend(name string) error { return simple(abi.INST_SUSPEND, name) }

// Resume ends Suspend.
func Resume(name string) error { return simple(abi.INST_RESUME, name) }

// Set changes settings of an instance.
func Set(name, settings string) error {
	_, err := call(&abi.Instctl{Op: abi.INST_SET}, name, []byte(settings))
	return err
}

// Rename gives an instance another name.
func Rename(name, to string) error {
	_, err := call(&abi.Instctl{Op: abi.INST_RENAME}, name, []byte(to))
	return err
}

// A Watch tells the states of an instance.
type Watch struct{ fd int }

// NewWatch begins to watch an instance.
func NewWatch(name string) (*Watch, error) {
	fd, err := call(&abi.Instctl{Op: abi.INST_WATCH, Flags: abi.INST_CLOEXEC}, name, nil)
	if err != nil {
		return nil, err
	}
	return &Watch{fd}, nil
}

// Next returns the state of now, and each further time waits for the next one.
func (w *Watch) Next() (abi.InstState, error) {
	var s abi.InstState
	b := make([]byte, abi.InstStateSize)
	for {
		n, err := syscall.Read(w.fd, b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == nil && n != len(b):
			err = syscall.EIO
		}
		s.Decode(b)
		return s, err
	}
}

// Dead waits until the instance is dead, and returns how its process 1 ended.
func (w *Watch) Dead() (syscall.WaitStatus, error) {
	for {
		s, err := w.Next()
		if err != nil || s.State == abi.INST_DEAD {
			return syscall.WaitStatus(s.Exit), err
		}
	}
}

// Close ends the watch.
func (w *Watch) Close() error { return syscall.Close(w.fd) }

// A Process is one that was started in an instance.
type Process struct {
	PID          int      // there
	In, Out, Err *os.File // the other sides of its descriptors; with a terminal In is its, and the others are nil
	watch        *os.File
}

// Exec runs a program in an instance, on a terminal of its own if asked. path, args and
// env are as for execve(2).
func Exec(name, path string, args, env []string, terminal bool) (*Process, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	str := func(s string) uint64 {
		b := append([]byte(s), 0)
		pin.Pin(&b[0])
		return uint64(uintptr(unsafe.Pointer(&b[0])))
	}
	list := func(list []string) uint64 {
		v := make([]uint64, len(list)+1)
		for i, s := range list {
			v[i] = str(s)
		}
		pin.Pin(&v[0])
		return uint64(uintptr(unsafe.Pointer(&v[0])))
	}
	what := abi.InstExec{Path: str(path), Argv: list(args), Envp: list(env)}
	b := make([]byte, abi.InstExecSize)
	what.Encode(b)
	a := abi.Instctl{Op: abi.INST_EXEC}
	if terminal {
		a.Op = abi.INST_ATTACH
	}
	pid, err := call(&a, name, b)
	if err != nil {
		return nil, err
	}
	return process(name, pid, b), nil
}

// process returns the process whose abi.InstExec data begins with.
func process(name string, pid int, data []byte) *Process {
	var what abi.InstExec
	what.Decode(data)
	file := func(fd int32) *os.File {
		if fd < 0 {
			return nil
		}
		return os.NewFile(uintptr(fd), name)
	}
	return &Process{PID: pid, In: file(what.In), Out: file(what.Out), Err: file(what.Err), watch: file(what.Watch)}
}

// Wait waits until the process has ended, and returns how. The streams stay open.
func (p *Process) Wait() (syscall.WaitStatus, error) {
	defer p.watch.Close()
	b := make([]byte, abi.InstStateSize)
	if _, err := io.ReadFull(p.watch, b); err != nil {
		return 0, err
	}
	var s abi.InstState
	s.Decode(b)
	return syscall.WaitStatus(s.Exit), nil
}

// A Use is what an instance has of a resource, with all below it.
type Use struct {
	Used    int64  `json:"used"`
	Limit   *int64 `json:"limit"` // nil: none of its own
	Refused int64  `json:"refused"`
}

// An Info is what there is to know of an instance.
type Info struct {
	ID         uint64         `json:"id"`
	Name       string         `json:"name"`
	Parent     *uint64        `json:"parent"` // nil: the caller's own, which isn't told
	State      string         `json:"state"`
	Created    time.Time      `json:"created"`
	References int64          `json:"references"`
	Host       string         `json:"host"`
	Domain     string         `json:"domain"`
	Root       string         `json:"root"` // a path, or image, parent or other; "": it isn't told
	Processes  int64          `json:"processes"`
	Threads    int64          `json:"threads"`
	Forks      int64          `json:"forks"`
	Weight     int64          `json:"cpu_weight"`
	Cap        *int64         `json:"cpu_cap"`   // percent of a processor; nil: none
	User       time.Duration  `json:"user_ns"`   // CPU time of its programs
	System     time.Duration  `json:"system_ns"` // and of the kernel for them
	Uses       map[string]Use `json:"resources"`
}

// parse reads what the kernel says of an instance. What it doesn't know is from a later
// kernel, and left out.
func parse(text string) (Info, error) {
	in := Info{Uses: make(map[string]Use)}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var n int64
		var err error
		number := func() int64 {
			n, err = strconv.ParseInt(value, 10, 64)
			return n
		}
		switch name {
		case "id":
			in.ID = uint64(number())
		case "name":
			in.Name = value
		case "parent":
			id := uint64(number())
			in.Parent = &id
		case "state":
			in.State = value
		case "created":
			in.Created = time.Unix(0, number())
		case "references":
			in.References = number()
		case "host":
			in.Host, err = strconv.Unquote(value)
		case "domain":
			in.Domain, err = strconv.Unquote(value)
		case "root":
			if in.Root = value; strings.HasPrefix(value, "\"") {
				in.Root, err = strconv.Unquote(value)
			}
		case "processes":
			in.Processes = number()
		case "threads":
			in.Threads = number()
		case "forks":
			in.Forks = number()
		case "cpu.weight":
			in.Weight = number()
		case "cpu.cap":
			if value != "none" {
				percent := number()
				in.Cap = &percent
			}
		case "time.user":
			in.User = time.Duration(number())
		case "time.system":
			in.System = time.Duration(number())
		default:
			what, resource, _ := strings.Cut(name, ".")
			u := in.Uses[resource]
			switch {
			case what == "used":
				u.Used = number()
			case what == "refused":
				u.Refused = number()
			case what == "limit" && value != "none":
				limit := number()
				u.Limit = &limit
			case what != "limit":
				continue
			}
			in.Uses[resource] = u
		}
		if err != nil {
			return in, fmt.Errorf("the kernel said %q: %w", line, err)
		}
	}
	return in, nil
}

// Get tells about an instance; without a name about the caller's own.
func Get(name string) (Info, error) {
	b := make([]byte, 16<<10)
	n, err := call(&abi.Instctl{Op: abi.INST_GET}, name, b)
	if err != nil {
		return Info{}, err
	}
	return parse(string(b[:n]))
}

// List tells about all instances below one, without a name below the caller's own; the
// oldest comes first.
func List(name string) ([]Info, error) {
	list := []Info{} // JSON has a list, too, if there are none
	b := make([]byte, 64<<10)
	a := abi.Instctl{Value: math.MaxUint64}
	for {
		a.Op = abi.INST_LIST
		n, err := call(&a, name, b)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		for text := range strings.SplitSeq(strings.TrimSuffix(string(b[:n]), "\n\n"), "\n\n") {
			in, err := parse(text + "\n")
			if err != nil {
				return nil, err
			}
			list = append(list, in)
		}
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, nil
}

// Debug returns counts of the machine, after its kernel has collected garbage, for inst0.
func Debug() (map[string]int64, error) {
	b := make([]byte, 4096)
	n, err := call(&abi.Instctl{Op: abi.INST_DEBUG, Flags: abi.INST_GC}, "", b)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int64)
	for line := range strings.Lines(string(b[:n])) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if counts[name], err = strconv.ParseInt(value, 10, 64); err != nil {
			return nil, fmt.Errorf("the kernel said %q: %w", line, err)
		}
	}
	return counts, nil
}

// A Proc is a process of an instance.
type Proc struct {
	PID     int           `json:"pid"`
	Parent  int           `json:"ppid"`
	UID     uint32        `json:"uid"`
	State   string        `json:"state"`
	Nice    int           `json:"nice"`
	Threads int           `json:"threads"`
	User    time.Duration `json:"user_ns"`
	System  time.Duration `json:"system_ns"`
	Age     time.Duration `json:"age_ns"`
	Mapped  uint64        `json:"mapped"`
	Memory  uint64        `json:"memory"`
	Name    string        `json:"name"`
}

// Procs lists the processes of an instance, without a name those of the caller's own.
func Procs(name string) ([]Proc, error) {
	var list []Proc
	b := make([]byte, 64<<10)
	var a abi.Instctl
	for {
		a.Op = abi.INST_PROCS
		n, err := call(&a, name, b)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return list, nil
		}
		for line := range strings.Lines(string(b[:n])) {
			var p Proc
			_, err := fmt.Sscanf(line, "%d %d %d %s %d %d %d %d %d %d %d %q\n", &p.PID, &p.Parent, &p.UID, &p.State, &p.Nice, &p.Threads,
				&p.User, &p.System, &p.Age, &p.Mapped, &p.Memory, &p.Name)
			if err != nil {
				return nil, fmt.Errorf("the kernel said %q: %w", line, err)
			}
			list = append(list, p)
		}
	}
}
