package ptyfs

import (
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/tty"
)

// Numbers of devices: Linux's devices.txt.
const (
	majorAux     = 5
	minorTTY     = 0
	minorConsole = 1
	minorPtmx    = 2
	majorSlaves  = 136
)

// Register makes the devices of terminals known in an instance: /dev/ptmx,
// /dev/tty and the slaves, and if console isn't nil also /dev/console and the
// device that the console has itself, such as /dev/ttyS0.
func Register(in *inst.Inst, console *tty.TTY) error {
	type row struct {
		major, minor uint32
		dev          vfs.Device
	}
	rows := []row{
		{majorAux, minorTTY, device(openControlling)},
		{majorAux, minorPtmx, device(openMaster)},
		{majorSlaves, vfs.AnyMinor, device(openSlave)},
	}
	if console != nil {
		rows = append(rows,
			row{majorAux, minorConsole, device(func(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
				return console.OpenSystem(c.Thread, flags)
			})},
			row{abi.Major(console.Rdev()), abi.Minor(console.Rdev()), device(func(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
				return console.Open(c.Thread, flags)
			})})
	}
	for _, r := range rows {
		if err := vfs.RegisterChar(in, r.major, r.minor, r.dev); err != nil {
			return err
		}
	}
	return nil
}

// device is a vfs.Device that is only a function. Programs open terminals, the
// kernel itself doesn't.
type device func(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error)

func (d device) Open(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
	if c.Thread == nil {
		return nil, errno.ENXIO
	}
	return d(c, dev, flags)
}

// openControlling opens /dev/tty: the terminal of the session.
func openControlling(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
	y := tty.Controlling(c.Thread.Proc)
	if y == nil {
		return nil, errno.ENXIO
	}
	return y.Open(c.Thread, flags|abi.O_NOCTTY)
}

func openMaster(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
	m, _, err := tty.OpenMaster(c.Thread)
	return m, err
}

func openSlave(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
	p := tty.FindPty(c.Inst, int(abi.Minor(dev)))
	if p == nil {
		return nil, errno.EIO
	}
	return p.Open(c.Thread, flags)
}
