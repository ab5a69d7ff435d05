// Package futex lets threads wait at words of memory: futex(2). kern/linux
// calls it for the system call; its Part ends what a thread that exits leaves
// behind: robust futexes and the word of set_tid_address(2).
//
// Member is a table of buckets for each instance, made when somebody waits for the
// first time. Who waits is in the bucket of the word's vm.Key. There is a waiter for
// each waiting thread at most, so the table is bounded by the threads, which are charged.
//
// The word is read without the lock of its bucket: a waiter is put into the
// bucket first, then it reads. If the word has another value, it leaves, and
// hands a wake-up that has reached it meanwhile to another waiter. So no
// wake-up is lost: who changes the word before the wake-up either is seen by
// the read, or finds the waiter.
//
// Lock order: buckets in the order of the table. Nothing is taken under them.
package futex

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

const (
	numBuckets = 256
	tableCost  = numBuckets * 64
)

// member is futex's member of an instance.
type member struct {
	made  atomic.Int32 // 1: there is a table; set after it
	table atomic.Pointer[table]
}

// table has the words for which somebody waits.
type table struct {
	seed    maphash.Seed // [const]
	buckets [numBuckets]bucket
}

// bucket holds the waiters of the words that hash to it.
type bucket struct {
	count atomic.Int32 // waiters; changed with mu held

	mu         sync.Mutex
	head, tail *waiter // [mu] those that wait longest first
	seq        uint64  // [mu] number of the last that came
	free       *waiter // [mu] for the next one to come; more of them would stay for as long as the instance
}

// A waiter is a thread that waits.
type waiter struct {
	next, prev *waiter
	t          *proc.Thread
	key        vm.Key
	bitset     uint32
	seq        uint64
	b          atomic.Pointer[bucket] // where it is; nil: woken. Changed with the lock of the bucket
}

var slot = inst.NewSlot[member]()

// Member is this package's row in the table of members.
var Member = inst.Member{Name: "futex", Alloc: alloc, Free: free}

func alloc(in, parent *inst.Inst) error {
	slot.Set(in, &member{})
	return nil
}

func free(in *inst.Inst) {
	if tab := slot.Of(in).table.Load(); tab != nil {
		for i := range tab.buckets {
			if tab.buckets[i].head != nil {
				panic("futex: waiters left in an instance that ends")
			}
		}
		in.Uncharge(inst.Heap, tableCost)
	}
	slot.Set(in, nil)
}

// tableOf returns the table of in for one who is about to wait. ENOMEM.
func tableOf(in *inst.Inst) (*table, error) {
	m := slot.Of(in)
	if m.made.Load() == 0 {
		if !in.Charge(inst.Heap, tableCost) {
			return nil, errno.ENOMEM
		}
		if !m.table.CompareAndSwap(nil, &table{seed: maphash.MakeSeed()}) {
			in.Uncharge(inst.Heap, tableCost) // another one was quicker
		}
		m.made.Store(1)
	}
	return m.table.Load(), nil
}

// waiting returns the table of in for one who has changed a word; nil: nobody has ever
// waited.
func waiting(in *inst.Inst) *table {
	m := slot.Of(in)
	// Reading by an addition keeps it behind the program's change of the word: a plain
	// load may overtake that. See the package comment.
	if m.made.Add(0) == 0 {
		return nil
	}
	return m.table.Load()
}

// find returns the number of the bucket of key.
func (tab *table) find(key vm.Key) int {
	return int(maphash.Comparable(tab.seed, key) % numBuckets)
}

// add puts a waiter at the end.
func (b *bucket) add(t *proc.Thread, key vm.Key, bitset uint32) *waiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.free
	if w != nil {
		b.free = nil
	} else {
		w = new(waiter)
	}
	w.t, w.key, w.bitset = t, key, bitset
	b.appendLocked(w)
	return w
}

// appendLocked puts w into b.
func (b *bucket) appendLocked(w *waiter) {
	b.seq++
	w.seq, w.next, w.prev = b.seq, nil, b.tail
	if b.tail != nil {
		b.tail.next = w
	} else {
		b.head = w
	}
	b.tail = w
	w.b.Store(b)
	b.count.Add(1)
}

// removeLocked takes w out of b.
func (b *bucket) removeLocked(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		b.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		b.tail = w.prev
	}
	w.next, w.prev = nil, nil
	b.count.Add(-1)
}

// wakeLocked wakes w.
func (b *bucket) wakeLocked(w *waiter) {
	b.removeLocked(w)
	t := w.t
	w.b.Store(nil) // from now on w is its thread's
	t.Unpark()
}

// leave takes w out of where it is by now; false: it has been woken before.
func (w *waiter) leave() bool {
	for {
		b := w.b.Load()
		if b == nil {
			return false
		}
		b.mu.Lock()
		if w.b.Load() == b {
			b.removeLocked(w)
			w.b.Store(nil)
			b.mu.Unlock()
			return true
		}
		b.mu.Unlock() // it was requeued or woken meanwhile
	}
}

// recycle keeps w, which is in no bucket, for the next wait at b.
func (b *bucket) recycle(w *waiter) {
	w.t, w.key = nil, vm.Key{}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = w
}

// Wait is FUTEX_WAIT and, with a bitset, FUTEX_WAIT_BITSET: it waits until the
// word at a is woken, if it has the value val, or until the deadline. shared says that the word may be in memory that other
// processes have too. EAGAIN if it has another value, EINVAL, EFAULT,
// ETIMEDOUT, or what a signal makes of it.
func Wait(t *proc.Thread, a vm.Addr, val uint32, bitset uint32, shared bool, d proc.Deadline) error {
	if bitset == 0 {
		return errno.EINVAL
	}
	sp := t.Space()
	key, err := keyOf(sp, a, shared)
	if err != nil {
		return err
	}
	tab, err := tableOf(t.Proc.Inst)
	if err != nil {
		return err
	}
	b := &tab.buckets[tab.find(key)]
	w := b.add(t, key, bitset)
	now, err := sp.Load32(a)
	if err == nil && now != val {
		err = errno.EAGAIN
	}
	if err != nil {
		if !w.leave() {
			// The wake-up was for one who waits.
			tab.wake(key, 1, bitset)
		}
		b.recycle(w)
		return err
	}
	err = w.sleep(d)
	b.recycle(w)
	if err == proc.ERestartSys && d.At != proc.Forever {
		return t.SetRestart(func(t *proc.Thread) (uintptr, error) {
			return 0, Wait(t, a, val, bitset, shared, d)
		})
	}
	return err
}

// sleep sleeps until w is woken. On an error w wasn't, and is in no bucket.
func (w *waiter) sleep(d proc.Deadline) error {
	for w.b.Load() != nil {
		if err := w.t.ParkUntil(d); err != nil {
			if w.leave() {
				return err
			}
			return nil
		}
	}
	return nil
}

// keyOf checks the address of a futex. EINVAL, EFAULT.
func keyOf(sp *vm.Space, a vm.Addr, shared bool) (vm.Key, error) {
	if a%4 != 0 {
		return vm.Key{}, errno.EINVAL
	}
	return sp.Key(a, shared)
}

// Wake is FUTEX_WAKE and FUTEX_WAKE_BITSET: it wakes up to n threads, one at
// least, that wait at the word at a with a bit of bitset. It returns how many.
func Wake(t *proc.Thread, a vm.Addr, n int, bitset uint32, shared bool) (int, error) {
	if bitset == 0 {
		return 0, errno.EINVAL
	}
	key, err := keyOf(t.Space(), a, shared)
	if err != nil {
		return 0, err
	}
	return waiting(t.Proc.Inst).wake(key, n, bitset), nil
}

// wake wakes up to n waiters, one at least. tab is what waiting or tableOf has returned
// after the word was changed.
func (tab *table) wake(key vm.Key, n int, bitset uint32) int {
	if tab == nil {
		return 0
	}
	b := &tab.buckets[tab.find(key)]
	if b.count.Load() == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wakeSomeLocked(key, n, bitset, ^uint64(0))
}

// wakeSomeLocked wakes up to n waiters, one at least, that came until seq.
func (b *bucket) wakeSomeLocked(key vm.Key, n int, bitset uint32, seq uint64) int {
	woken := 0
	for w := b.head; w != nil; {
		next := w.next
		if w.key == key && w.bitset&bitset != 0 && w.seq <= seq {
			b.wakeLocked(w)
			if woken++; woken >= n {
				break
			}
		}
		w = next
	}
	return woken
}

// A Compare is the condition of FUTEX_CMP_REQUEUE; the zero value has none.
type Compare struct {
	On  bool
	Val uint32
}

// Requeue is FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: it wakes up to wake threads
// that wait at a, and lets up to move others wait at a2 from now on. It returns
// how many it has woken and moved. EAGAIN if the word at a hasn't the value to
// compare with, EINVAL, EFAULT.
func Requeue(t *proc.Thread, a vm.Addr, wake, move int, a2 vm.Addr, cmp Compare, shared bool) (int, error) {
	if wake < 0 || move < 0 {
		return 0, errno.EINVAL
	}
	sp := t.Space()
	key, err := keyOf(sp, a, shared)
	if err != nil {
		return 0, err
	}
	key2, err := keyOf(sp, a2, shared)
	if err != nil {
		return 0, err
	}
	tab, err := tableOf(t.Proc.Inst)
	if err != nil {
		return 0, err
	}
	i, j := tab.find(key), tab.find(key2)
	b, b2 := &tab.buckets[i], &tab.buckets[j]
	seq := ^uint64(0)
	if cmp.On {
		// Who comes after this saw, or will see, the word as it is later
		// than the one that is compared here.
		b.mu.Lock()
		seq = b.seq
		b.mu.Unlock()
		now, err := sp.Load32(a)
		if err != nil {
			return 0, err
		}
		if now != cmp.Val {
			return 0, errno.EAGAIN
		}
	}
	tab.lock2(i, j)
	defer tab.unlock2(i, j)
	done := 0
	last := b.tail
	for w := b.head; w != nil && done < wake+move; {
		next := w.next
		if w == last {
			next = nil // what follows was moved by this loop
		}
		if w.key == key && w.seq <= seq {
			if done < wake {
				b.wakeLocked(w)
			} else if key != key2 {
				b.removeLocked(w)
				w.key = key2
				b2.appendLocked(w)
			}
			done++
		}
		w = next
	}
	return done, nil
}

// lock2 locks two buckets, which may be the same.
func (tab *table) lock2(i, j int) {
	tab.buckets[min(i, j)].mu.Lock()
	if i != j {
		tab.buckets[max(i, j)].mu.Lock()
	}
}

func (tab *table) unlock2(i, j int) {
	tab.buckets[i].mu.Unlock()
	if i != j {
		tab.buckets[j].mu.Unlock()
	}
}

// WakeOp is FUTEX_WAKE_OP: it changes the word at a2 as op says, wakes up to n
// threads at a, and up to n2 at a2 if the word's old value is as op says. It
// returns how many. ENOSYS for an op that doesn't exist, EINVAL, EFAULT.
func WakeOp(t *proc.Thread, a vm.Addr, n int, a2 vm.Addr, n2 int, op uint32, shared bool) (int, error) {
	sp := t.Space()
	key, err := keyOf(sp, a, shared)
	if err != nil {
		return 0, err
	}
	key2, err := keyOf(sp, a2, shared)
	if err != nil {
		return 0, err
	}
	change, compare, err := decodeOp(op)
	if err != nil {
		return 0, err
	}
	old, err := sp.Update32(a2, change)
	if err != nil {
		return 0, err
	}
	tab := waiting(t.Proc.Inst)
	woken := tab.wake(key, n, abi.FUTEX_BITSET_MATCH_ANY)
	if compare(int32(old)) {
		woken += tab.wake(key2, n2, abi.FUTEX_BITSET_MATCH_ANY)
	}
	return woken, nil
}

// decodeOp splits the last argument of FUTEX_WAKE_OP: 4 bits operation, 4 bits
// comparison, 12 bits argument of each.
func decodeOp(op uint32) (change func(old uint32) uint32, compare func(old int32) bool, err error) {
	what, cmp := op>>28&7, op>>24&15
	arg, with := int32(op<<8)>>20, int32(op<<20)>>20
	if op>>28&abi.FUTEX_OP_OPARG_SHIFT != 0 {
		arg = 1 << (arg & 31)
	}
	v := uint32(arg)
	switch what {
	case abi.FUTEX_OP_SET:
		change = func(uint32) uint32 { return v }
	case abi.FUTEX_OP_ADD:
		change = func(old uint32) uint32 { return old + v }
	case abi.FUTEX_OP_OR:
		change = func(old uint32) uint32 { return old | v }
	case abi.FUTEX_OP_ANDN:
		change = func(old uint32) uint32 { return old &^ v }
	case abi.FUTEX_OP_XOR:
		change = func(old uint32) uint32 { return old ^ v }
	default:
		return nil, nil, errno.ENOSYS
	}
	switch cmp {
	case abi.FUTEX_OP_CMP_EQ:
		compare = func(old int32) bool { return old == with }
	case abi.FUTEX_OP_CMP_NE:
		compare = func(old int32) bool { return old != with }
	case abi.FUTEX_OP_CMP_LT:
		compare = func(old int32) bool { return old < with }
	case abi.FUTEX_OP_CMP_LE:
		compare = func(old int32) bool { return old <= with }
	case abi.FUTEX_OP_CMP_GT:
		compare = func(old int32) bool { return old > with }
	case abi.FUTEX_OP_CMP_GE:
		compare = func(old int32) bool { return old >= with }
	default:
		return nil, nil, errno.ENOSYS
	}
	return change, compare, nil
}
