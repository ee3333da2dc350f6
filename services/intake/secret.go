package intake

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// maxSecretFile bounds what is read as a file of secrets.
const maxSecretFile = 64 << 10

// lookAgain is how long a file of secrets is taken to be as it was.
const lookAgain = time.Second

// Secrets resolves where a secret is kept into the secret. Declarations hold
// references only. One secret stands on each line; the order does not matter,
// and for a change of secret the old and the new stand there together.
type Secrets struct {
	// Env reads one variable of the environment; nil = no variable is read.
	Env func(name string) (string, bool)
	// Clock says when to look at a file again; nil = the real one.
	Clock clock.Clock

	mu    sync.Mutex
	files map[string]secretFile
}

type secretFile struct {
	looked   time.Time
	modified time.Time
	size     int64
	secrets  [][]byte
}

// Resolve answers the secrets behind a reference, "file:PATH" or "env:NAME". A
// changed file is read again within a second. What cannot be resolved is
// Unavailable: the sender did nothing wrong and should try again.
func (s *Secrets) Resolve(ref string) ([][]byte, error) {
	switch kind, name, _ := strings.Cut(ref, ":"); kind {
	case "file":
		return s.file(name)
	case "env":
		if s.Env != nil {
			if text, ok := s.Env(name); ok {
				if secrets := lines([]byte(text)); len(secrets) > 0 {
					return secrets, nil
				}
			}
		}
		return nil, fault.New(fault.Unavailable, "secret: the variable %s is not set or empty: set it and restart", name)
	default:
		return nil, fault.New(fault.Unavailable, "secret: the reference is neither file:PATH nor env:NAME: correct the source")
	}
}

// ResolveAll answers the secrets that a verification takes at an instant: its
// first, and of the others those that have not ended. Where one cannot be had,
// the rest is answered together with the fault.
func ResolveAll(secrets SecretLookup, v *intakev1.Verification, now time.Time) ([][]byte, error) {
	all, err := secrets.Resolve(v.GetSecretRef())
	for _, more := range v.GetMore() {
		if more.GetEndsAt() != nil && !now.Before(more.GetEndsAt().AsTime()) {
			continue
		}
		found, missing := secrets.Resolve(more.GetRef())
		if err == nil {
			err = missing
		}
		all = append(all[:len(all):len(all)], found...) // what was resolved is shared
	}
	return all, err
}

func (s *Secrets) file(path string) ([][]byte, error) {
	now := time.Now()
	if s.Clock != nil {
		now = s.Clock.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	have, known := s.files[path]
	if age := now.Sub(have.looked); known && age >= 0 && age < lookAgain {
		return have.secrets, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, unreadableSecret(path)
	}
	if !known || !have.modified.Equal(info.ModTime()) || have.size != info.Size() {
		text, err := readAtMost(path, maxSecretFile)
		if err != nil {
			return nil, unreadableSecret(path)
		}
		have = secretFile{modified: info.ModTime(), size: info.Size(), secrets: lines(text)}
		if len(have.secrets) == 0 {
			return nil, fault.New(fault.Unavailable, "secret: the file %s is empty: put one secret on each line", path)
		}
	}
	have.looked = now
	if s.files == nil {
		s.files = make(map[string]secretFile)
	}
	s.files[path] = have
	return have.secrets, nil
}

func unreadableSecret(path string) error {
	return fault.New(fault.Unavailable, "secret: the file %s cannot be read: put it there and let this process read it", path)
}

func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// lines are the secrets of a text: one on each line, blank lines left out.
// Spaces within a line belong to the secret.
func lines(text []byte) [][]byte {
	var out [][]byte
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		if line = bytes.TrimSuffix(line, []byte("\r")); len(bytes.TrimSpace(line)) > 0 {
			out = append(out, bytes.Clone(line))
		}
	}
	return out
}
