package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// monitor speaks QMP, QEMU's machine protocol: one JSON object per message.
// QEMU greets, answers each command in turn, and reports events in between.
type monitor struct {
	conn    net.Conn
	cmd     sync.Mutex    // held during an exchange
	replies chan message  // the greeting and the answers
	ending  chan struct{} // closed once QEMU has said why it ends
	closed  chan struct{} // closed when the reader is gone

	mu       sync.Mutex
	shutdown string // [mu] reason of the SHUTDOWN event
}

// message is any of what QEMU sends.
type message struct {
	QMP    json.RawMessage
	Return json.RawMessage
	Error  *struct{ Desc string }
	Event  string
	Data   struct{ Reason string }
}

var errMonitorGone = errors.New("QEMU is gone")

func newMonitor(conn net.Conn) *monitor {
	m := &monitor{
		conn:    conn,
		replies: make(chan message, 1),
		ending:  make(chan struct{}),
		closed:  make(chan struct{}),
	}
	go m.read()
	return m
}

func (m *monitor) read() {
	defer close(m.closed)
	defer m.conn.Close()
	dec := json.NewDecoder(m.conn)
	for {
		var msg message
		if dec.Decode(&msg) != nil {
			return
		}
		switch {
		case msg.Event == "SHUTDOWN":
			m.ends(msg.Data.Reason)
		case msg.Event == "":
			select {
			case m.replies <- msg:
			default: // the answer to a command that gave up waiting
			}
		}
	}
}

func (m *monitor) ends(reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shutdown == "" {
		close(m.ending)
	}
	m.shutdown = reason
}

// greet takes QEMU's greeting and leaves the negotiation that follows it.
func (m *monitor) greet() error {
	m.cmd.Lock()
	msg, err := m.reply()
	m.cmd.Unlock()
	if err != nil {
		return err
	}
	if msg.QMP == nil {
		return errors.New("no greeting from QEMU's monitor")
	}
	return m.execute("qmp_capabilities", nil)
}

// execute runs a command and stores its result in what result points to, if
// that isn't nil. After a time-out the monitor is closed: a late answer would
// be taken for the next command's.
func (m *monitor) execute(command string, result any) error {
	return m.executeWith(command, nil, result)
}

// executeWith is execute for a command with arguments.
func (m *monitor) executeWith(command string, args map[string]any, result any) error {
	m.cmd.Lock()
	defer m.cmd.Unlock()
	m.conn.SetWriteDeadline(time.Now().Add(monitorTimeout))
	request := map[string]any{"execute": command}
	if args != nil {
		request["arguments"] = args
	}
	err := json.NewEncoder(m.conn).Encode(request)
	if err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	msg, err := m.reply()
	if err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	if msg.Error != nil {
		return fmt.Errorf("QEMU's monitor: %s: %s", command, msg.Error.Desc)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(msg.Return, result); err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	return nil
}

// reply returns the next message that isn't an event. m.cmd is held.
func (m *monitor) reply() (message, error) {
	select {
	case msg := <-m.replies:
		return msg, nil
	case <-m.closed:
		select {
		case msg := <-m.replies: // came just before the end
			return msg, nil
		default:
			return message{}, errMonitorGone
		}
	case <-time.After(monitorTimeout):
		m.conn.Close()
		return message{}, fmt.Errorf("no answer in %v", monitorTimeout)
	}
}

func (m *monitor) shutdownReason() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shutdown
}

// wait returns when everything a QEMU that is gone has sent was read.
func (m *monitor) wait() { <-m.closed }

// close gives up a monitor that QEMU never had.
func (m *monitor) close() {
	m.conn.Close()
	m.wait()
}

// Reset pushes the reset button. The guest must have been started with
// Config.Reboot, or the run would end.
func (vm *VM) Reset() error {
	if !vm.cfg.Reboot {
		return errors.New("qemu: reset of a guest that was started without Reboot")
	}
	return vm.monitor.execute("system_reset", nil)
}

// PowerButton pushes the ACPI power button; what comes of it is up to the guest.
func (vm *VM) PowerButton() error { return vm.monitor.execute("system_powerdown", nil) }

// Stop halts the guest's CPUs and its clocks until Cont.
func (vm *VM) Stop() error { return vm.monitor.execute("stop", nil) }

// Cont lets a stopped guest go on.
func (vm *VM) Cont() error { return vm.monitor.execute("cont", nil) }

// Running says whether the guest's CPUs run: they don't after Stop.
func (vm *VM) Running() (bool, error) {
	var status struct{ Running bool }
	err := vm.monitor.execute("query-status", &status)
	return status.Running, err
}

// Quit ends QEMU without the guest's help; Wait then returns ErrQuit.
func (vm *VM) Quit() error { return vm.monitor.execute("quit", nil) }
