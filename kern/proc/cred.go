package proc

import "slices"

// A Cred says on whose behalf a thread acts: credentials(7). It is never
// changed; a change makes a new one.
type Cred struct {
	UID, EUID, SUID, FSUID uint32
	GID, EGID, SGID, FSGID uint32
	Groups                 []uint32 // sorted

	// Capabilities: capabilities(7).
	Effective, Permitted, Inheritable, Bounding, Ambient uint64
	SecureBits                                           uint32
	NoNewPrivs                                           bool

	charge *credCharge // what Groups cost, nil without
}

// MaxGroups is how many supplementary groups a thread can have.
const MaxGroups = 65536

// Capabilities that the kernel asks for, by number.
const (
	CAP_CHOWN              = 0
	CAP_DAC_OVERRIDE       = 1
	CAP_DAC_READ_SEARCH    = 2
	CAP_FOWNER             = 3
	CAP_FSETID             = 4
	CAP_KILL               = 5
	CAP_SETGID             = 6
	CAP_SETUID             = 7
	CAP_SETPCAP            = 8
	CAP_LINUX_IMMUTABLE    = 9
	CAP_NET_BIND_SERVICE   = 10
	CAP_NET_BROADCAST      = 11
	CAP_NET_ADMIN          = 12
	CAP_NET_RAW            = 13
	CAP_IPC_LOCK           = 14
	CAP_IPC_OWNER          = 15
	CAP_SYS_MODULE         = 16
	CAP_SYS_RAWIO          = 17
	CAP_SYS_CHROOT         = 18
	CAP_SYS_PTRACE         = 19
	CAP_SYS_PACCT          = 20
	CAP_SYS_ADMIN          = 21
	CAP_SYS_BOOT           = 22
	CAP_SYS_NICE           = 23
	CAP_SYS_RESOURCE       = 24
	CAP_SYS_TIME           = 25
	CAP_SYS_TTY_CONFIG     = 26
	CAP_MKNOD              = 27
	CAP_LEASE              = 28
	CAP_AUDIT_WRITE        = 29
	CAP_AUDIT_CONTROL      = 30
	CAP_SETFCAP            = 31
	CAP_MAC_OVERRIDE       = 32
	CAP_MAC_ADMIN          = 33
	CAP_SYSLOG             = 34
	CAP_WAKE_ALARM         = 35
	CAP_BLOCK_SUSPEND      = 36
	CAP_AUDIT_READ         = 37
	CAP_PERFMON            = 38
	CAP_BPF                = 39
	CAP_CHECKPOINT_RESTORE = 40
	CAP_LAST               = 40

	allCaps = 1<<(CAP_LAST+1) - 1
)

// RootCred returns the credentials of the first process of an instance.
func RootCred() *Cred {
	return &Cred{Effective: allCaps, Permitted: allCaps, Bounding: allCaps}
}

// Root reports whether c acts as the superuser: effective user 0.
func (c *Cred) Root() bool { return c.EUID == 0 }

// Has reports whether c may do what capability n stands for.
func (c *Cred) Has(n uint) bool { return n <= CAP_LAST && c.Effective&(1<<n) != 0 }

// InGroup reports whether c accesses files as a member of group g.
func (c *Cred) InGroup(g uint32) bool { return g == c.FSGID || c.listed(g) }

// InEffectiveGroup is InGroup with the effective group: in_egroup_p.
func (c *Cred) InEffectiveGroup(g uint32) bool { return g == c.EGID || c.listed(g) }

func (c *Cred) listed(g uint32) bool {
	_, ok := slices.BinarySearch(c.Groups, g)
	return ok
}
