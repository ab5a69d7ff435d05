package procfs

import (
	"strings"

	"mult/fs/vfs"
	"mult/kern/abi"
	"mult/kern/errno"
)

const notInMounts = " \t\n\\#" // what is escaped in mounts

// eachMount adds a piece of a list of mounts, as the process sees them; the
// position is the number of a mount.
func (x *target) eachMount(b *buffer, at uint64, line func(m *vfs.Mount, path string)) (next uint64, err error) {
	p := x.proc()
	if p == nil {
		return end, errno.ESRCH
	}
	s := vfs.HoldState(p)
	if s == nil {
		return end, errno.EINVAL
	}
	defer s.Release()
	next = end
	vfs.TableOf(x.fs.in).Mounts(func(m *vfs.Mount, _ string) {
		if m.ID < at || next != end {
			return
		}
		if len(b.b) >= piece {
			next = m.ID
			return
		}
		if path, ok := s.MountPath(m); ok {
			line(m, path)
		}
	})
	return next, nil
}

// options returns the flags of a mount.
func options(m *vfs.Mount) string {
	flags := m.Flags()
	o := []string{"rw"}
	if flags&vfs.MS_RDONLY != 0 {
		o[0] = "ro"
	}
	for _, f := range []struct {
		bit  uint32
		name string
	}{{vfs.MS_NOSUID, "nosuid"}, {vfs.MS_NODEV, "nodev"}, {vfs.MS_NOEXEC, "noexec"}, {vfs.MS_NOATIME, "noatime"}} {
		if flags&f.bit != 0 {
			o = append(o, f.name)
		}
	}
	if flags&vfs.MS_NOATIME == 0 {
		o = append(o, "relatime") // the rule for all that is not noatime
	}
	return strings.Join(o, ",")
}

// superOptions returns those of the file system, with a comma before each.
func superOptions(m *vfs.Mount) string {
	if m.Super.Options == nil {
		return ""
	}
	if s := m.Super.Options(); s != "" {
		return "," + s
	}
	return ""
}

func mounts(b *buffer, x *target, at uint64) (uint64, error) {
	return x.eachMount(b, at, func(m *vfs.Mount, path string) {
		b.escaped(m.Super.Source, notInMounts)
		b.text(" ")
		b.escaped(path, notInMounts)
		b.f(" %s %s%s 0 0\n", m.Super.Type, options(m), superOptions(m))
	})
}

func mountinfo(b *buffer, x *target, at uint64) (uint64, error) {
	return x.eachMount(b, at, func(m *vfs.Mount, path string) {
		parent := m.ID
		if m.Parent != nil {
			parent = m.Parent.ID
		}
		b.f("%d %d %d:%d / ", m.ID, parent, abi.Major(m.Super.Dev), abi.Minor(m.Super.Dev))
		b.escaped(path, notInMounts)
		b.f(" %s - %s ", options(m), m.Super.Type)
		b.escaped(m.Super.Source, notInMounts)
		b.f(" rw%s\n", superOptions(m))
	})
}
