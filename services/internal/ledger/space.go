package ledger

import (
	"sync/atomic"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

// lastLook remembers when free space was read, so that a hot path asks the
// disk a few times a second, not for every request.
type lastLook struct {
	at   atomic.Int64
	free atomic.Uint64
}

// space answers a fault while the disk is below the floor. A write that fails
// on a full disk freezes the stream until a restart, so nothing is taken long
// before.
func (l *Ledger) space() error {
	if l.srv == nil {
		return nil
	}
	left, err := l.freeSpace()
	if err != nil {
		return fault.New(fault.Unavailable, "ledger: cannot read the free space: %w", err)
	}
	if left < l.cfg.FreeFloor {
		return fault.New(fault.Full, "the disk of the log has %d MiB left, below the floor of %d MiB; free some space", left>>20, l.cfg.FreeFloor>>20)
	}
	return nil
}

func (l *Ledger) freeSpace() (uint64, error) {
	now := time.Now().UnixNano()
	if now-l.looks.at.Load() < int64(200*time.Millisecond) {
		return l.looks.free.Load(), nil
	}
	left, err := free(l.cfg.Dir)
	if err != nil {
		return 0, err
	}
	l.looks.free.Store(left)
	l.looks.at.Store(now)
	return left, nil
}
