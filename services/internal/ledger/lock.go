package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/leadbaton/baton/services/internal/fault"
)

// dirLock keeps a second process out of a data directory: the server itself
// would let it in, and one of the two would lose what it acknowledged.
type dirLock struct{ file *os.File }

func lockDir(dir, name string) (*dirLock, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot open the lock of the data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = file.Close()
		who := strings.TrimSpace(string(holder))
		if who == "" {
			who = "another process"
		}
		return nil, fault.New(fault.State, "the data directory %s is in use by %s; stop it first, or choose another with --data", dir, who)
	}
	if err := file.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := file.WriteAt([]byte(fmt.Sprintf("%s (process %d)\n", name, os.Getpid())), 0); err != nil {
		return nil, err
	}
	return &dirLock{file}, nil
}

func (d *dirLock) release() error {
	// Closing gives the lock up; the file stays, it is only a name.
	return d.file.Close()
}

// free is the space left for ordinary users on the disk of dir, in bytes.
func free(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
