package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Services that write, and what each may say. A record of another hand, or of
// a type that is not its writer's, does not verify.
var writers = map[string][]string{
	"audit":         {"baton.audit.v1."},
	"agreement":     {"baton.agreement.v1.", "baton.score.v1."},
	"intake":        {"baton.intake.v1.", "baton.lead.v1.LeadReceived", "baton.lead.v1.SubmissionRepeated", "baton.lead.v1.SubmissionRevised", "baton.lead.v1.TouchAdded", "baton.lead.v1.LeadRefused", "baton.lead.v1.LeadRemapped", "baton.lead.v1.PersonAttached", "baton.lead.v1.AccountMatched", "baton.person.v1.", "baton.lead.v1.OutcomeRecorded", "baton.lead.v1.HandlingFailed"},
	"qualification": {"baton.qualification.v1.", "baton.lead.v1.QualificationHeld", "baton.lead.v1.LeadQualified", "baton.lead.v1.LeadNurtured", "baton.lead.v1.NurtureAdvanced", "baton.lead.v1.CallRecorded", "baton.lead.v1.HandlingFailed"},
	"routing":       {"baton.routing.v1.", "baton.lead.v1.LeadOffered", "baton.lead.v1.LeadQueued", "baton.lead.v1.OfferAccepted", "baton.lead.v1.OfferRejected", "baton.lead.v1.OfferTimedOut", "baton.lead.v1.OfferReminded", "baton.lead.v1.LeadReassigned", "baton.lead.v1.ClockReminded", "baton.lead.v1.ClockBreached", "baton.lead.v1.ClockEscalated", "baton.lead.v1.ClockRestated", "baton.person.v1.OwnerChanged", "baton.lead.v1.HandlingFailed"},
	"delivery":      {"baton.delivery.v1.", "baton.lead.v1.NoticeQueued", "baton.lead.v1.NoticeSent", "baton.lead.v1.NoticeFailed", "baton.lead.v1.NoticeOpened", "baton.lead.v1.NoticeRequested", "baton.lead.v1.RecordWritten", "baton.lead.v1.HandlingFailed"},
	"feedback":      {"baton.feedback.v1.", "baton.lead.v1.OutcomeRecorded", "baton.lead.v1.FeedbackGiven", "baton.lead.v1.DisputeOpened", "baton.lead.v1.DisputeAnswered", "baton.lead.v1.DisputeEscalated", "baton.lead.v1.DisputeDecided", "baton.lead.v1.DisputeLinked", "baton.lead.v1.RideAlongRequested", "baton.lead.v1.RideAlongHeld", "baton.lead.v1.LeadReassigned", "baton.lead.v1.HandlingFailed"},
}

func mayWrite(service, typ string) bool {
	return slices.ContainsFunc(writers[service], func(allowed string) bool {
		return typ == allowed || (strings.HasSuffix(allowed, ".") && strings.HasPrefix(typ, allowed))
	})
}

// Keyring holds the signing key of each service, one file each, mode 0600.
type Keyring struct {
	dir  string
	keys map[string]ed25519.PrivateKey
}

func openKeyring(dir string) (*Keyring, error) {
	dir = filepath.Join(dir, "signing")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot make the folder of signing keys: %w", err)
	}
	ring := &Keyring{dir: dir, keys: map[string]ed25519.PrivateKey{}}
	for service := range writers {
		seed, err := loadSecret(filepath.Join(dir, service+".key"), ed25519.SeedSize)
		if err != nil {
			return nil, err
		}
		ring.keys[service] = ed25519.NewKeyFromSeed(seed)
	}
	return ring, nil
}

// Private answers a service's key.
func (k *Keyring) Private(service string) (ed25519.PrivateKey, bool) {
	key, ok := k.keys[service]
	return key, ok
}

// loadSecret reads a secret of n bytes, or makes it. Several processes may race
// for it: the file appears whole or not at all, and the first one wins.
func loadSecret(path string, n int) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret := make([]byte, n)
		if _, err := rand.Read(secret); err != nil {
			return nil, err
		}
		if err := writeSecret(path, secret); err != nil {
			return nil, err
		}
		raw, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "ledger: cannot read the key %s: %w", filepath.Base(path), err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(secret) != n {
		return nil, fault.New(fault.Corrupt, "ledger: the key file %s does not hold a key of %d bytes; restore it from the backup", path, n)
	}
	return secret, nil
}

func writeSecret(path string, secret []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.WriteString(base64.StdEncoding.EncodeToString(secret) + "\n"); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	// Link refuses an existing name: whoever was first stays.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
