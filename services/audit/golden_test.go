package audit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/ledger"
)

// goldenFiles are histories of two weeks under each logic that was ever released,
// the latest last, as stored, with the keys that signed them. The test of the same
// name beside the demo writes the last one.
var goldenFiles = []string{
	"testdata/golden-routing1-qualification1.jsonl.gz",
	"testdata/golden-routing2-qualification2.jsonl.gz",
	"testdata/golden-routing3-qualification2-clocks1.jsonl.gz",
	"testdata/golden-routing4-qualification3-clocks1.jsonl.gz",
}

// history is a stored log in memory: a Source that tests may damage. What they
// damage it with is written here a second time, so that the product's own code
// does not judge itself.
type history struct {
	records  map[string][]*ledger.Record
	notes    map[string][]string
	outside  map[string]string
	verifier string
	keys     map[string]ed25519.PrivateKey
	// unreadable are sequences of LEDGER that cannot be read, and why.
	unreadable map[uint64]string
}

var goldens = func() (load []func() (*history, error)) {
	for _, name := range goldenFiles {
		load = append(load, sync.OnceValues(func() (*history, error) { return loadGolden(name) }))
	}
	return load
}()

func loadGolden(name string) (*history, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	h := &history{records: map[string][]*ledger.Record{}, notes: map[string][]string{}, outside: map[string]string{}, keys: map[string]ed25519.PrivateKey{}}
	lines := bufio.NewScanner(raw)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Stream, Subject, Checkpoint, Outside, Verifier, Service, Seed string
			Seq                                                           uint64
			Headers                                                       map[string][]string
			Body                                                          []byte
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		switch {
		case line.Checkpoint != "":
			h.notes[line.Stream] = append(h.notes[line.Stream], line.Checkpoint)
		case line.Verifier != "":
			h.verifier, h.outside[line.Stream] = line.Verifier, line.Outside
		case line.Seed != "":
			seed, err := base64.StdEncoding.DecodeString(line.Seed)
			if err != nil {
				return nil, err
			}
			h.keys[line.Service] = ed25519.NewKeyFromSeed(seed)
		default:
			h.records[line.Stream] = append(h.records[line.Stream], &ledger.Record{Seq: line.Seq, Subject: line.Subject, Header: line.Headers, Body: line.Body})
		}
	}
	return h, lines.Err()
}

// golden is a copy of the golden history that tests damage. In it one event leads to few
// others, so that what else a damage spoils can be said.
func golden(t testing.TB) *history { return goldenOf(t, 1) }

// goldenOf is a copy of one of the golden histories.
func goldenOf(t testing.TB, n int) *history {
	t.Helper()
	from, err := goldens[n]()
	if err != nil {
		t.Fatal(err)
	}
	h := &history{records: map[string][]*ledger.Record{}, notes: map[string][]string{}, outside: map[string]string{}, verifier: from.verifier, keys: from.keys, unreadable: map[uint64]string{}}
	for stream, records := range from.records {
		for _, r := range records {
			header := map[string][]string{}
			for name, values := range r.Header {
				header[name] = slices.Clone(values)
			}
			h.records[stream] = append(h.records[stream], &ledger.Record{Seq: r.Seq, Subject: r.Subject, Header: header, Body: bytes.Clone(r.Body)})
		}
		h.notes[stream], h.outside[stream] = slices.Clone(from.notes[stream]), from.outside[stream]
	}
	return h
}

func (h *history) Read(_ context.Context, stream string, fn func(*ledger.Record) error, missing func(uint64, string) error) error {
	for _, r := range h.records[stream] {
		err := error(nil)
		if why, gone := h.unreadable[r.Seq]; gone && stream == ledger.StreamLedger {
			err = missing(r.Seq, why)
		} else {
			err = fn(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *history) Checkpoints(_ context.Context, stream string) (notes []string, verifier, outside string, err error) {
	return slices.Clone(h.notes[stream]), h.verifier, h.outside[stream], nil
}

func header(r *ledger.Record, name string) string {
	if values := r.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func set(r *ledger.Record, name, value string) { r.Header[name] = []string{value} }

// kind is a record's type without its package.
func kind(r *ledger.Record) string {
	typ := header(r, "ce-type")
	return typ[strings.LastIndexByte(typ, '.')+1:]
}

// find answers the nth record of a kind, from 0; from the end if n is negative.
func (h *history) find(t testing.TB, typ string, n int) *ledger.Record {
	t.Helper()
	var all []*ledger.Record
	for _, r := range h.records[ledger.StreamLedger] {
		if kind(r) == typ {
			all = append(all, r)
		}
	}
	if n < 0 {
		n += len(all)
	}
	if n < 0 || n >= len(all) {
		t.Fatalf("the history holds %d of %s", len(all), typ)
	}
	return all[n]
}

// next is the sequence of the record that follows on the same subject.
func (h *history) next(t testing.TB, r *ledger.Record) uint64 {
	t.Helper()
	for _, other := range h.records[ledger.StreamLedger] {
		if other.Subject == r.Subject && other.Seq > r.Seq {
			return other.Seq
		}
	}
	t.Fatalf("record %d is the last of its subject", r.Seq)
	return 0
}

// sizes are the sizes that signed checkpoints speak of, from a sequence on.
func (h *history) sizes(t testing.TB, stream string, from uint64) (out []uint64) {
	t.Helper()
	for _, text := range h.notes[stream] {
		var size uint64
		if _, err := fmt.Sscanf(strings.Split(text, "\n")[1], "%d", &size); err != nil {
			t.Fatal(err)
		}
		if size >= from {
			out = append(out, size)
		}
	}
	return out
}

// change decodes a record's body, changes it and encodes it again.
func change[M proto.Message](t testing.TB, r *ledger.Record, by func(M)) {
	t.Helper()
	e, err := r.Decode()
	if err != nil {
		t.Fatal(err)
	}
	by(e.Body.(M))
	if r.Body, err = proto.Marshal(e.Body); err != nil {
		t.Fatal(err)
	}
}

// sign signs a record with the key of a service, over what the format says: its
// subject, its own headers in order without the signature, and its body.
func (h *history) sign(t testing.TB, r *ledger.Record) {
	t.Helper()
	key, ok := h.keys[strings.TrimPrefix(header(r, "ce-source"), "/baton/")]
	if !ok {
		t.Fatalf("record %d is of nobody: %s", r.Seq, header(r, "ce-source"))
	}
	sum := sha256.New()
	write := func(text string) {
		_ = binary.Write(sum, binary.BigEndian, uint64(len(text)))
		sum.Write([]byte(text))
	}
	sum.Write([]byte("baton event v1\n"))
	write(r.Subject)
	var names []string
	for name := range r.Header {
		if name != "ce-signature" && !strings.HasPrefix(name, "Nats-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range r.Header[name] {
			write(name)
			write(value)
		}
	}
	write(string(r.Body))
	set(r, "ce-signature", base64.StdEncoding.EncodeToString(ed25519.Sign(key, sum.Sum(nil))))
}

// forge rewrites a stream from a sequence on as somebody would who holds every
// key: numbered, chained, signed, and under new checkpoints.
func (h *history) forge(t testing.TB, stream string, from uint64) {
	t.Helper()
	last := map[string][32]byte{}
	for i, r := range h.records[stream] {
		r.Seq = uint64(i) + 1
		if r.Seq >= from {
			if stream == ledger.StreamLedger {
				prev := last[r.Subject]
				set(r, "ce-prevhash", hex.EncodeToString(prev[:]))
			}
			h.sign(t, r)
		}
		last[r.Subject] = r.Hash()
	}
	h.point(t, stream)
}

// tree are the hashes of a stream's tree.
type tree []tlog.Hash

func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = t[at]
	}
	return out, nil
}

// point signs the checkpoints of a stream anew, at the sizes that they have.
func (h *history) point(t testing.TB, stream string) {
	t.Helper()
	var hashes tree
	for i, r := range h.records[stream] {
		more, err := tlog.StoredHashes(int64(i), r.Leaf(), hashes)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	again := func(text string) string {
		lines := strings.Split(text, "\n")
		var size int64
		if _, err := fmt.Sscanf(lines[1], "%d", &size); err != nil {
			t.Fatal(err)
		}
		if size > int64(len(h.records[stream])) {
			return text
		}
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			t.Fatal(err)
		}
		return h.note(t, fmt.Sprintf("%s\n%d\n%s\n", lines[0], size, base64.StdEncoding.EncodeToString(root[:])), h.keys["audit"])
	}
	for i, text := range h.notes[stream] {
		h.notes[stream][i] = again(text)
	}
	h.outside[stream] = again(h.outside[stream])
}

// note signs a text in note form under the log's name.
func (h *history) note(t testing.TB, text string, key ed25519.PrivateKey) string {
	t.Helper()
	name, _, _ := strings.Cut(h.verifier, "+")
	verifier, err := note.NewEd25519VerifierKey(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	secret := append([]byte{1}, key.Seed()...)
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, strings.Split(verifier, "+")[1], base64.StdEncoding.EncodeToString(secret)))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// The forger's own tools make the very same history when nothing is changed:
// else the tests below would prove less than they say.
func TestForgingNothingChangesNothing(t *testing.T) {
	t.Parallel()
	h, untouched := golden(t), golden(t)
	for _, stream := range []string{ledger.StreamLedger, ledger.StreamIntake} {
		h.forge(t, stream, 1)
		for i, r := range h.records[stream] {
			if r.Hash() != untouched.records[stream][i].Hash() {
				t.Fatalf("record %d of %s is another one", r.Seq, stream)
			}
		}
		if !slices.Equal(h.notes[stream], untouched.notes[stream]) || h.outside[stream] != untouched.outside[stream] {
			t.Errorf("the checkpoints of %s are others", stream)
		}
	}
}
