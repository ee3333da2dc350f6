package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func TestOpenRefusesWhatIsNotAsSealed(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning.AddDate(0, 0, 1))
	day := mustSealDay(t, s, morning, "secret", "aad")
	named, err := s.Seal(t.Context(), "one", []byte("secret"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Seal(t.Context(), "two", []byte("secret"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	for what, sealed := range map[string]*leadv1.Sealed{"day key": day, "named key": named} {
		otherName := map[string]string{"day key": "day-2026-03-03", "named key": "two"}[what]
		for name, c := range map[string]struct {
			change func(*leadv1.Sealed)
			aad    string
			want   fault.Kind
		}{
			"other aad":            {func(*leadv1.Sealed) {}, "aae", fault.Corrupt},
			"no aad":               {func(*leadv1.Sealed) {}, "", fault.Corrupt},
			"flipped ciphertext":   {func(x *leadv1.Sealed) { x.Ciphertext[0] ^= 1 }, "aad", fault.Corrupt},
			"flipped tag":          {func(x *leadv1.Sealed) { x.Ciphertext[len(x.Ciphertext)-1] ^= 1 }, "aad", fault.Corrupt},
			"cut ciphertext":       {func(x *leadv1.Sealed) { x.Ciphertext = x.Ciphertext[:15] }, "aad", fault.Corrupt},
			"flipped nonce":        {func(x *leadv1.Sealed) { x.Nonce[3] ^= 1 }, "aad", fault.Corrupt},
			"short nonce":          {func(x *leadv1.Sealed) { x.Nonce = x.Nonce[:11] }, "aad", fault.Corrupt},
			"flipped commitment":   {func(x *leadv1.Sealed) { x.Commitment[31] ^= 1 }, "aad", fault.Corrupt},
			"no commitment":        {func(x *leadv1.Sealed) { x.Commitment = nil }, "aad", fault.Corrupt},
			"name of another key":  {func(x *leadv1.Sealed) { x.KeyId = otherName }, "aad", fault.Corrupt},
			"no name":              {func(x *leadv1.Sealed) { x.KeyId = "" }, "aad", fault.Corrupt},
			"name of no key":       {func(x *leadv1.Sealed) { x.KeyId = "three" }, "aad", fault.NotFound},
			"name of no day":       {func(x *leadv1.Sealed) { x.KeyId = "day-2026-03-09" }, "aad", fault.NotFound},
			"name of no such day":  {func(x *leadv1.Sealed) { x.KeyId = "day-2026-02-30" }, "aad", fault.Corrupt},
			"another's commitment": {func(x *leadv1.Sealed) { x.KeyId, x.Commitment = "two", other.Commitment }, "aad", fault.Corrupt},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				x := proto.CloneOf(sealed)
				c.change(x)
				plain, err := s.Open(t.Context(), x, []byte(c.aad))
				wantFault(t, err, c.want)
				if plain != nil {
					t.Errorf("answered %q beside the fault", plain)
				}
			})
		}
		mustOpen(t, s, sealed, "aad", "secret")
	}
	_, err = s.Open(t.Context(), nil, nil)
	wantFault(t, err, fault.Corrupt)
}

// The format is a promise to whoever opens old events: written out here by hand.
func TestSealedFormat(t *testing.T) {
	s := fresh(t)
	sealed, err := s.Seal(t.Context(), "call-7", []byte("secret"), []byte("lead.l1"))
	if err != nil {
		t.Fatal(err)
	}
	raw := rawKey(t, s, "SELECT wrapped FROM data_keys WHERE key_id = 'call-7'", "call-7")
	want := sha256.Sum256([]byte("baton key commitment v1" + string(raw) + "call-7"))
	if !bytes.Equal(sealed.GetCommitment(), want[:]) {
		t.Error("commitment is not SHA-256 of version, key and name")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, sealed.GetNonce(), sealed.GetCiphertext(), []byte("lead.l1"))
	if err != nil || string(plain) != "secret" {
		t.Errorf("AES-256-GCM by hand: %q, %v", plain, err)
	}
}

func TestSealUsesOneKeyPerNameAndOneNoncePerSealing(t *testing.T) {
	s := fresh(t)
	a, err := s.Seal(t.Context(), "call", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Seal(t.Context(), "call", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Seal(t.Context(), "note", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Commitment, b.Commitment) || bytes.Equal(a.Commitment, c.Commitment) {
		t.Error("commitments do not follow the key's name")
	}
	if bytes.Equal(a.Nonce, b.Nonce) || bytes.Equal(a.Ciphertext, b.Ciphertext) {
		t.Error("a nonce came twice")
	}
	for _, name := range []string{"", "day-2026-03-02", "day-", strings.Repeat("x", 65), "\xff"} {
		_, err := s.Seal(t.Context(), name, nil, nil)
		wantFault(t, err, fault.Invalid)
	}
}

func TestSealRoundTrip(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning)
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(r, "plain")
		aad := rapid.SliceOf(rapid.Byte()).Draw(r, "aad")
		day, err := s.SealDay(morning, plain, aad)
		if err != nil {
			r.Fatal(err)
		}
		named, err := s.Seal(t.Context(), "k", plain, aad)
		if err != nil {
			r.Fatal(err)
		}
		for _, sealed := range []*leadv1.Sealed{day, named} {
			got, err := s.Open(t.Context(), sealed, aad)
			if err != nil || !bytes.Equal(got, plain) {
				r.Fatalf("%s: %x, %v", sealed.GetKeyId(), got, err)
			}
		}
	})
}

func TestMACSeparatesPurposesPartsAndStores(t *testing.T) {
	s, other := fresh(t), fresh(t)
	p := func(parts ...string) (b [][]byte) {
		for _, part := range parts {
			b = append(b, []byte(part))
		}
		return b
	}
	seen := map[string]string{}
	for name, m := range map[string][]byte{
		"a|bc":          s.MAC("id", p("a", "bc")...),
		"ab|c":          s.MAC("id", p("ab", "c")...),
		"abc":           s.MAC("id", p("abc")...),
		"abc|":          s.MAC("id", p("abc", "")...),
		"|abc":          s.MAC("id", p("", "abc")...),
		"none":          s.MAC("id"),
		"empty":         s.MAC("id", nil),
		"other purpose": s.MAC("body", p("abc")...),
		"other store":   other.MAC("id", p("abc")...),
	} {
		if len(m) != 32 {
			t.Errorf("%s: %d bytes", name, len(m))
		}
		if twin, ok := seen[string(m)]; ok {
			t.Errorf("%s and %s have one MAC", name, twin)
		}
		seen[string(m)] = name
	}
	if !bytes.Equal(s.MAC("id", p("a", "bc")...), s.MAC("id", p("a", "bc")...)) {
		t.Error("MAC is not a function")
	}
	if bytes.Equal(s.MAC("match email"), mac(s.secrets.email)) || bytes.Equal(s.MAC("wrap"), mac(s.secrets.expand("wrap"))) {
		t.Error("a caller's purpose reaches one of the store's own keys")
	}
}

// rawKey reads a key's bytes as only the store itself can.
func rawKey(t *testing.T, s *Store, query, id string) []byte {
	t.Helper()
	var wrapped []byte
	if err := s.read.QueryRow(query).Scan(&wrapped); err != nil {
		t.Fatal(err)
	}
	raw, err := s.secrets.wrap.Open(nil, wrapped[:12], wrapped[12:], wrapAAD(id))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
