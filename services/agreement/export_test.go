package agreement_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// stored is a version that both have signed, stored away.
func stored(t *testing.T) agreement.Export {
	t.Helper()
	b := newBench(t)
	a := b.mustPropose(short())
	b.clock.Set(monday.Add(time.Hour))
	b.mustSign(a, "sales", sales)
	b.clock.Set(monday.Add(2 * time.Hour))
	return exported(t, b.mustSign(a, "marketing", marketing))
}

// short is a document without comments: each of its bytes is changed below.
func short() []byte {
	return regexp.MustCompile(`(?m)^ *#.*\n|^\n`).ReplaceAll(documentWith(sales), nil)
}

func exported(t *testing.T, a *agreementv1.Agreement, earlier ...*agreementv1.Agreement) agreement.Export {
	t.Helper()
	e, err := agreement.NewExport(a, earlier...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAStoredAgreementIsWhole(t *testing.T) {
	t.Parallel()
	data := stored(t).Bytes()
	e, wrong := agreement.VerifyExport(data)
	if len(wrong) > 0 || e.Version != 1 || e.InForceFrom != "2026-03-02T14:00:00.000000000Z" || len(e.Signatures) != 2 || e.Document != string(short()) {
		t.Errorf("%q is wrong with %+v", wrong, e)
	}
}

// Not one byte of a stored agreement can be another.
func TestEveryChangedByteIsFound(t *testing.T) {
	t.Parallel()
	data := stored(t).Bytes()
	if len(data) < 4000 {
		t.Fatalf("%d bytes are no stored agreement", len(data))
	}
	document := bytes.Index(data, []byte(`"document"`))
	end := document + bytes.IndexByte(data[document:], '\n')
	for i := range data {
		flips := []byte{1, 0x20}
		if i > document && i < end {
			// One line holds most of the bytes.
			flips = flips[:1]
		}
		for _, flip := range flips {
			changed := bytes.Clone(data)
			changed[i] ^= flip
			if _, wrong := agreement.VerifyExport(changed); len(wrong) == 0 {
				t.Errorf("byte %d, %q instead of %q, was not found", i, changed[i], data[i])
			}
		}
	}
	for _, cut := range [][]byte{data[:len(data)-1], append(bytes.Clone(data), '\n'), append(bytes.Clone(data), data...), nil} {
		if _, wrong := agreement.VerifyExport(cut); len(wrong) == 0 {
			t.Errorf("%d bytes instead of %d were not found", len(cut), len(data))
		}
	}
}

// Who changes a stored agreement and seals it anew still has no key.
func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	whole := stored(t)
	for want, change := range map[string]func(*agreement.Export){
		"version 1: the document is not the one that was signed: its SHA-256 is ": func(e *agreement.Export) {
			e.Document = strings.Replace(e.Document, "points_needed: 3", "points_needed: 2", 1)
		},
		"version 1: the signature of marketing does not fit the document": func(e *agreement.Export) {
			other := signed(&agreementv1.Agreement{Version: 1, Digest: make([]byte, 32)}, "marketing", marketing)
			e.Signatures[1].Signature = base64.StdEncoding.EncodeToString(other.GetSignature())
		},
		"version 1: the key that signed for sales is not the one that the agreement names: ed25519:": func(e *agreement.Export) {
			e.Signatures[0].PublicKey, e.Signatures[0].Signature = e.Signatures[1].PublicKey, e.Signatures[1].Signature
		},
		"version 1: the key of sales is no key": func(e *agreement.Export) { e.Signatures[0].PublicKey = "ed25519:AAAA" },
		"version 1: marketing has not signed it: it is a draft that nothing uses": func(e *agreement.Export) {
			e.Signatures, e.InForceFrom = e.Signatures[:1], ""
		},
		"and not both have signed": func(e *agreement.Export) { e.Signatures = e.Signatures[:1] },
		"version 1: sales has signed it 2 times": func(e *agreement.Export) {
			e.Signatures = append(e.Signatures, e.Signatures[0])
		},
		"version 1: it has 3 signatures, and there are two parties": func(e *agreement.Export) {
			third := e.Signatures[0]
			third.Party = "somebody"
			e.Signatures = append(e.Signatures, third)
		},
		`it says that it is in force from "2026-03-01T00:00:00.000000000Z"; by its signatures and its document that is 2026-03-02T14:00:00.000000000Z`: func(e *agreement.Export) {
			e.InForceFrom = "2026-03-01T00:00:00.000000000Z"
		},
		`version 1: when sales signed is "yesterday", which is no time`:               func(e *agreement.Export) { e.Signatures[0].At = "yesterday" },
		`version 1: the log cannot have the signature of sales at 1, before the prop`: func(e *agreement.Export) { e.Signatures[0].Sequence = 1; e.Proposed.Sequence = 9 },
		`it is called "Ours", and its document is called "Lead agreement`:             func(e *agreement.Export) { e.Name = "Ours" },
		`its format is "baton agreement 2", and this version`:                         func(e *agreement.Export) { e.Format = "baton agreement 2" },
	} {
		t.Run(want, func(t *testing.T) {
			e := whole
			e.Signatures = append([]agreement.ExportSignature{}, whole.Signatures...)
			change(&e)
			_, wrong := agreement.VerifyExport(agreement.Reseal(e).Bytes())
			if text := strings.Join(wrong, "\n"); !strings.Contains(text, want) {
				t.Errorf("it says\n%s", text)
			}
		})
	}
	whole.Seal = strings.Repeat("0", 64)
	if _, wrong := agreement.VerifyExport(whole.Bytes()); fmt.Sprint(wrong) != "[it was changed after it was written: its seal does not fit what is in it]" {
		t.Errorf("with another seal alone it says %q", wrong)
	}
}

// A version that names a new key is signed with the old one: the version before
// is stored with it.
func TestANewKeyIsVouchedForByTheVersionBefore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.mustPropose(documentWith(sales))
	b.mustSign(first, "marketing", marketing)
	first = b.mustSign(first, "sales", sales)
	b.clock.Set(monday.Add(time.Hour))
	second := b.mustPropose(documentWith(newSales))
	b.mustSign(second, "sales", sales)
	second = b.mustSign(second, "marketing", marketing)

	e := exported(t, second, second, first)
	if _, wrong := agreement.VerifyExport(e.Bytes()); len(wrong) > 0 || len(e.Before) != 1 || e.Before[0].Version != 1 {
		t.Errorf("%q is wrong, and stored with it are %d versions", wrong, len(e.Before))
	}
	alone := exported(t, second)
	if _, wrong := agreement.VerifyExport(alone.Bytes()); len(wrong) != 1 || !strings.Contains(wrong[0], "the key that signed for sales is not the one that the agreement names") {
		t.Errorf("without the version before it says %q", wrong)
	}
	// What vouches for it must be whole itself.
	e.Before[0].Signatures[0].Signature = e.Before[0].Signatures[1].Signature
	if _, wrong := agreement.VerifyExport(agreement.Reseal(e).Bytes()); len(wrong) != 1 || !strings.Contains(wrong[0], "version 1: the signature of marketing does not fit") {
		t.Errorf("with a broken version before it says %q", wrong)
	}
}
