package intake

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

// maxSecretFile bounds what is read as a file of secrets.
const maxSecretFile = 64 << 10

// Secrets resolves where a secret is kept into the secret. Declarations hold
// references only. One secret stands on each line; the order does not matter,
// and for a change of secret the old and the new stand there together.
type Secrets struct {
	// Env reads one variable of the environment; nil = no variable is read.
	Env func(name string) (string, bool)

	mu    sync.Mutex
	files map[string]secretFile
}

type secretFile struct {
	modified time.Time
	size     int64
	secrets  [][]byte
}

// Resolve answers the secrets behind a reference, "file:PATH" or "env:NAME". A
// changed file is read again at once. What cannot be resolved is Unavailable:
// the sender did nothing wrong and should try again.
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

func (s *Secrets) file(path string) ([][]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, fault.New(fault.Unavailable, "secret: the file %s cannot be read: put it there and let this process read it", path)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.files[path]; ok && have.modified.Equal(info.ModTime()) && have.size == info.Size() {
		return have.secrets, nil
	}
	text, err := readAtMost(path, maxSecretFile)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "secret: the file %s cannot be read: put it there and let this process read it", path)
	}
	secrets := lines(text)
	if len(secrets) == 0 {
		return nil, fault.New(fault.Unavailable, "secret: the file %s is empty: put one secret on each line", path)
	}
	if s.files == nil {
		s.files = make(map[string]secretFile)
	}
	s.files[path] = secretFile{modified: info.ModTime(), size: info.Size(), secrets: secrets}
	return secrets, nil
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
