package abi

// InstctlVersion is the version of Instctl that this kernel knows.
const InstctlVersion = 1

// An Instctl is the argument of instctl(2). A kernel that knows more fields takes those
// that are missing for zeros, and one that knows less refuses what isn't zero.
type Instctl struct {
	Version uint32
	Op      uint32 // INST_*
	ID      uint64 // the instance, with INST_BYID
	Name    uint64 // address of the names on the way to it, with slashes between them
	NameLen uint64 // and their length; 0 without INST_BYID: the caller's own instance
	Flags   uint64
	Data    uint64 // address of what else goes in or comes out
	DataLen uint64
	Value   uint64 // a number that goes in or comes out
	Text    uint64 // address of room for the sentence that explains an error
	TextLen uint64
}

// InstctlSize is the size of version 1.
const InstctlSize = 80

// Where fields are that the kernel writes.
const InstctlValue = 56

// Operations of instctl(2).
const (
	INST_CREATE  = 1  // make it, with the settings in Data; Value: its id
	INST_START   = 2  // give it process 1
	INST_STOP    = 3  // ask process 1 to end, and kill it after Value nanoseconds
	INST_KILL    = 4  // end it at once
	INST_SUSPEND = 5  // its processes get no processor
	INST_RESUME  = 6  // they do again
	INST_WATCH   = 7  // a descriptor that tells its states
	INST_GET     = 8  // what there is to know of it, into Data; the length
	INST_SET     = 9  // change the settings in Data
	INST_LIST    = 10 // as INST_GET of those below it with ids less than Value; Value: the last one
	INST_RENAME  = 11 // the name in Data
	INST_PROCS   = 12 // its processes with numbers from Value on, into Data; Value: the next
	INST_EXEC    = 13 // run a program in it, with an InstExec in Data; the process's number there
	INST_ATTACH  = 14 // as INST_EXEC, on a terminal of the instance
	INST_DEBUG   = 15 // counts of the machine, into Data, for inst0; the length
)

// Flags of Instctl.
const (
	INST_BYID    = 1  // ID says which instance
	INST_STARTED = 2  // INST_CREATE: and start it
	INST_CLOEXEC = 4  // INST_WATCH: as O_CLOEXEC
	INST_TTY     = 8  // INST_START, INST_STARTED: process 1 on a terminal, Data begins with an InstExec
	INST_STREAMS = 32 // INST_START, INST_STARTED: process 1 with pipes, Data begins with an InstExec
	INST_GC      = 16 // INST_DEBUG: collect garbage first
)

// Encode writes a to b.
func (a *Instctl) Encode(b []byte) {
	put32(b, a.Version)
	put32(b[4:], a.Op)
	for i, p := range a.long() {
		put64(b[8+8*i:], *p)
	}
}

// Decode reads a from b.
func (a *Instctl) Decode(b []byte) {
	a.Version, a.Op = get32(b), get32(b[4:])
	for i, p := range a.long() {
		*p = get64(b[8+8*i:])
	}
}

func (a *Instctl) long() [9]*uint64 {
	return [...]*uint64{&a.ID, &a.Name, &a.NameLen, &a.Flags, &a.Data, &a.DataLen, &a.Value, &a.Text, &a.TextLen}
}

// An InstExec says what INST_EXEC and INST_ATTACH run. The addresses go in, those of process 1
// are 0; the descriptors come out, which are closed by exec.
type InstExec struct {
	Path, Argv, Envp uint64 // as execve(2) takes them
	In, Out, Err     int32  // the other sides of its descriptors 0 to 2; of a terminal In, the others -1
	Watch            int32  // tells an InstState when it has ended
}

// InstExecSize is its size.
const InstExecSize = 40

// Encode writes e to b.
func (e *InstExec) Encode(b []byte) {
	put64(b, e.Path)
	put64(b[8:], e.Argv)
	put64(b[16:], e.Envp)
	put32(b[24:], uint32(e.In))
	put32(b[28:], uint32(e.Out))
	put32(b[32:], uint32(e.Err))
	put32(b[36:], uint32(e.Watch))
}

// Decode reads e from b.
func (e *InstExec) Decode(b []byte) {
	e.Path, e.Argv, e.Envp = get64(b), get64(b[8:]), get64(b[16:])
	e.In, e.Out, e.Err, e.Watch = int32(get32(b[24:])), int32(get32(b[28:])), int32(get32(b[32:])), int32(get32(b[36:]))
}

// An InstState is what a descriptor of INST_WATCH reads.
type InstState struct {
	ID    uint64
	State uint32 // INST_CREATING and so on
	Exit  uint32 // how process 1 ended, as wait4(2) tells it
}

// InstStateSize is its size.
const InstStateSize = 16

// States of an instance.
const (
	INST_CREATING  = 0
	INST_RUNNING   = 1
	INST_SUSPENDED = 2
	INST_STOPPING  = 3
	INST_DEAD      = 4
)

// Encode writes s to b.
func (s *InstState) Encode(b []byte) {
	put64(b, s.ID)
	put32(b[8:], s.State)
	put32(b[12:], s.Exit)
}

// Decode reads s from b.
func (s *InstState) Decode(b []byte) {
	s.ID, s.State, s.Exit = get64(b), get32(b[8:]), get32(b[12:])
}
