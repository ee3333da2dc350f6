package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Tree is the Merkle tree over one stream: leaf i is the record with sequence
// i+1. Its hashes lie in a file that is only a cache: it is built anew from the
// stream whenever the log is opened.
type Tree struct {
	mu   sync.RWMutex
	file *os.File
	n    int64 // records
	base int64 // hashes in the file
	tail []tlog.Hash
	// expect are roots that signed checkpoints promise at certain sizes.
	expect map[int64]tlog.Hash
	stream string
}

// spill is how many hashes are kept in memory before they go to the file.
const spill = 4096

func newTree(dir, stream string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot make the folder of tree hashes: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, stream), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot open the tree hashes of %s: %w", stream, err)
	}
	return &Tree{file: file, stream: stream, expect: map[int64]tlog.Hash{}}, nil
}

func (t *Tree) close() { _ = t.file.Close() }

// ReadHashes implements tlog.HashReader. The caller holds the lock.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at >= t.base {
			if at-t.base >= int64(len(t.tail)) {
				return nil, fmt.Errorf("ledger: the tree of %s holds no hash %d", t.stream, at)
			}
			out[i] = t.tail[at-t.base]
			continue
		}
		if _, err := t.file.ReadAt(out[i][:], at*tlog.HashSize); err != nil {
			return nil, fmt.Errorf("ledger: the tree hashes of %s cannot be read: %w", t.stream, err)
		}
	}
	return out, nil
}

// add appends the record with sequence seq.
func (t *Tree) add(seq uint64, hash [32]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int64(seq) != t.n+1 {
		return fault.New(fault.Corrupt, "%s: record %d came where record %d belongs", t.stream, seq, t.n+1)
	}
	hashes, err := tlog.StoredHashesForRecordHash(t.n, tlog.RecordHash(leaf(seq, hash)), t)
	if err != nil {
		return err
	}
	t.tail = append(t.tail, hashes...)
	t.n++
	if len(t.tail) >= spill && t.n%1024 == 0 {
		raw := make([]byte, 0, len(t.tail)*tlog.HashSize)
		for _, h := range t.tail {
			raw = append(raw, h[:]...)
		}
		// The file only relieves the memory: where the disk is full they stay.
		if _, err := t.file.WriteAt(raw, t.base*tlog.HashSize); err == nil {
			t.base += int64(len(t.tail))
			t.tail = t.tail[:0]
		}
	}
	if want, ok := t.expect[t.n]; ok {
		root, err := tlog.TreeHash(t.n, t)
		if err != nil {
			return err
		}
		if root != want {
			return fault.New(fault.Corrupt, "%s does not fit its signed checkpoint at %d records: a record at or before %d was changed after the checkpoint was made", t.stream, t.n, t.n)
		}
	}
	return nil
}

// next is the sequence of the record that comes next.
func (t *Tree) next() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return uint64(t.n) + 1
}

// Head is the size and root of the tree as it stands.
func (t *Tree) Head() (size int64, root tlog.Hash, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.n == 0 {
		return 0, tlog.Hash{}, nil
	}
	root, err = tlog.TreeHash(t.n, t)
	return t.n, root, err
}

// Root of the tree at a size.
func (t *Tree) Root(size int64) (tlog.Hash, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if err := t.within(size); err != nil {
		return tlog.Hash{}, err
	}
	return tlog.TreeHash(size, t)
}

// ProveRecord proves that the record with that sequence is in the tree of that
// size; leafHash is what the proof speaks of.
func (t *Tree) ProveRecord(size int64, seq uint64) (proof tlog.RecordProof, leafHash tlog.Hash, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if err := t.within(size); err != nil {
		return nil, leafHash, err
	}
	if int64(seq) > size {
		return nil, leafHash, fault.New(fault.NotFound, "record %d is not within the first %d records of %s", seq, size, t.stream)
	}
	hashes, err := t.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(seq)-1)})
	if err != nil {
		return nil, leafHash, err
	}
	proof, err = tlog.ProveRecord(size, int64(seq)-1, t)
	return proof, hashes[0], err
}

// ProveTree proves that the tree of one size grew out of an older one.
func (t *Tree) ProveTree(size, old int64) (tlog.TreeProof, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if err := t.within(size); err != nil {
		return nil, err
	}
	if old < 1 || old > size {
		return nil, fault.New(fault.Invalid, "a tree of %d records cannot have grown out of one of %d", size, old)
	}
	return tlog.ProveTree(size, old, t)
}

func (t *Tree) within(size int64) error {
	if size < 1 || size > t.n {
		return fault.New(fault.NotFound, "%s has %d records, not %d", t.stream, t.n, size)
	}
	return nil
}

// Tree answers the tree over a stream.
func (l *Ledger) Tree(stream string) (*Tree, error) {
	t, ok := l.trees[stream]
	if !ok {
		return nil, fault.New(fault.NotFound, "%q has no tree; ask for %s or %s", stream, StreamLedger, StreamIntake)
	}
	return t, nil
}
