package keys

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16

	// wrappedSize is what a wrapped key takes on disk: nonce, key, tag.
	wrappedSize = nonceSize + keySize + tagSize
)

// dataKey is a key in memory, ready for use.
type dataKey struct {
	id         string
	aead       cipher.AEAD
	commitment []byte
}

func newDataKey(id string, raw []byte) (*dataKey, error) {
	aead, err := newAEAD(raw)
	if err != nil {
		return nil, err
	}
	return &dataKey{id: id, aead: aead, commitment: commitment(raw, id)}, nil
}

// commitment binds a ciphertext to one key and its name. AES-GCM alone does
// not: two keys can be found under which one ciphertext opens to two texts.
func commitment(raw []byte, id string) []byte {
	h := sha256.New()
	h.Write([]byte("baton key commitment v1"))
	h.Write(raw)
	h.Write([]byte(id))
	return h.Sum(nil)
}

// seal encrypts under a random nonce. One key may do so 2^32 times before
// nonces are likely enough to meet: a day of 49,000 deliveries a second.
func (k *dataKey) seal(plain, aad []byte) *leadv1.Sealed {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	return &leadv1.Sealed{
		KeyId:      k.id,
		Nonce:      nonce,
		Ciphertext: k.aead.Seal(nil, nonce, plain, aad),
		Commitment: append([]byte(nil), k.commitment...),
	}
}

func (k *dataKey) open(sealed *leadv1.Sealed, aad []byte) ([]byte, error) {
	if subtle.ConstantTimeCompare(k.commitment, sealed.GetCommitment()) != 1 {
		return nil, fault.New(fault.Corrupt, "key %q: the sealed data was not made with the key of this name; check the record that holds it", k.id)
	}
	plain, err := k.aead.Open(nil, sealed.GetNonce(), sealed.GetCiphertext(), aad)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "key %q: the sealed data does not open: it was altered, or belongs to another record; check the record that holds it", k.id)
	}
	return plain, nil
}

// generate makes a key and its wrapped form.
func (s *secrets) generate(id string) (*dataKey, []byte, error) {
	raw := make([]byte, keySize)
	defer clear(raw)
	rand.Read(raw)
	nonce := make([]byte, nonceSize, wrappedSize)
	rand.Read(nonce)
	key, err := newDataKey(id, raw)
	if err != nil {
		return nil, nil, err
	}
	return key, s.wrap.Seal(nonce, nonce, raw, wrapAAD(id)), nil
}

// unwrap turns a stored key into one in memory.
func (s *secrets) unwrap(id string, wrapped []byte) (*dataKey, error) {
	if len(wrapped) != wrappedSize {
		return nil, fault.New(fault.Corrupt, "key %q: its stored form is damaged; stop, and restore the key store from its backup", id)
	}
	raw, err := s.wrap.Open(nil, wrapped[:nonceSize], wrapped[nonceSize:], wrapAAD(id))
	if err != nil {
		return nil, fault.New(fault.Corrupt, "key %q: its stored form is damaged or was moved from another name; stop, and restore the key store from its backup", id)
	}
	defer clear(raw)
	return newDataKey(id, raw)
}

// wrapAAD binds a wrapped key to its name: moved to another row, it does not
// open.
func wrapAAD(id string) []byte { return []byte("baton key wrap v1 " + id) }

// wellFormed says whether sealed data has the shape that seal gives it.
func wellFormed(sealed *leadv1.Sealed) bool {
	return sealed.GetKeyId() != "" &&
		len(sealed.GetNonce()) == nonceSize &&
		len(sealed.GetCiphertext()) >= tagSize &&
		len(sealed.GetCommitment()) == sha256.Size
}
