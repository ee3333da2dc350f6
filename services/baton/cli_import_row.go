package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// refusal is why a row stays out.
type refusal struct {
	column string // by the file's name for it; empty = the row as a whole
	reason string
}

// text of a field in a row: trimmed, mapped, or the default.
func (c *column) text(cells []string) (text string, mapped bool) {
	if c.at >= 0 {
		text = strings.TrimSpace(cells[c.at])
	}
	if text == "" {
		text = c.spec.Default
	}
	if to, ok := c.folded[strings.ToLower(text)]; ok {
		return to, true
	}
	return text, false
}

// item is a row as the mapper of forms takes a submission.
func (m *mapping) item(rec *record) intake.Item {
	item := intake.Item{Leaves: make([]intake.Leaf, 0, len(m.fields)+len(m.answers)+len(rec.more))}
	for _, columns := range [][]column{m.fields, m.answers} {
		for i := range columns {
			c := &columns[i]
			text, _ := c.text(rec.cells)
			item.Leaves = append(item.Leaves, intake.Leaf{Path: c.field, Key: c.field, Value: text})
		}
	}
	if m.rest {
		for _, v := range rec.more {
			item.Leaves = append(item.Leaves, intake.Leaf{Path: v.name, Key: v.name, Value: v.value})
		}
	}
	return item
}

// unfit says why a row cannot be taken, whatever its kind.
func (m *mapping) unfit(rec *record) *refusal {
	switch {
	case rec.reject != "":
		return &refusal{reason: rec.reject}
	case len(rec.cells) != len(m.header):
		return &refusal{reason: "the row has " + counted(int64(len(rec.cells)), "cell", "cells") + " where the header has " + grouped(int64(len(m.header)))}
	case len(rec.more) == 0 && !slices.ContainsFunc(rec.cells, func(s string) bool { return strings.TrimSpace(s) != "" }):
		return &refusal{reason: "the row is empty"}
	}
	return nil
}

// submission turns a row's cells into a submission. rules are the agreement's
// words; nil = none are agreed.
func (m *mapping) submission(rec *record, rules intake.Vocabulary) (*intakev1.Submission, intake.Item, *refusal) {
	if no := m.unfit(rec); no != nil {
		return nil, intake.Item{}, no
	}
	item := m.item(rec)
	sub := intake.Map(item, rules, nil).Submission
	if c, there := m.own[fieldExternalID]; there {
		sub.ExternalId, _ = c.text(rec.cells)
	}
	return sub, item, nil
}

// key names a row for ever: the sender's own id, or what the row holds.
func key(item intake.Item, sub *intakev1.Submission) string {
	if sub.GetExternalId() != "" {
		return sub.GetExternalId()
	}
	return "row:" + digest(item.Canonical())
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// live is a row as a new lead.
func (m *mapping) live(source string, rec *record, rules intake.Vocabulary) (*intakev1.SubmitRequest, *refusal) {
	sub, item, no := m.submission(rec, rules)
	if no != nil {
		return nil, no
	}
	req := &intakev1.SubmitRequest{Source: source, IdempotencyKey: key(item, sub), Submission: sub}
	if err := access.Validate(req); err != nil {
		return nil, &refusal{reason: access.FaultOf(err).Error()}
	}
	return req, nil
}

// past is a row as a fact of the past.
func (m *mapping) past(rec *record, rules intake.Vocabulary) (*intakev1.HistoryRow, *refusal) {
	sub, _, no := m.submission(rec, intake.AsWritten(rules))
	if no != nil {
		return nil, no
	}
	row := &intakev1.HistoryRow{Line: rec.line, Submission: sub}
	if sub.GetExternalId() == "" {
		return nil, &refusal{m.own[fieldExternalID].name, "external_id is empty; it names the row, so that a second import finds it"}
	}
	for _, each := range []struct {
		field string
		to    **timestamppb.Timestamp
	}{{fieldReceived, &row.ReceivedAt}, {fieldFirstTouch, &row.FirstTouchAt}, {fieldClosed, &row.ClosedAt}} {
		at, no := m.date(rec.cells, each.field)
		if no != nil {
			return nil, no
		}
		if at != nil {
			*each.to = timestamppb.New(*at)
		}
	}
	if no := m.fate(rec.cells, row); no != nil {
		return nil, no
	}
	received := row.GetReceivedAt()
	switch {
	case received == nil:
		return nil, &refusal{m.own[fieldReceived].name, "received_at is empty"}
	case row.GetFirstTouchAt() != nil && row.GetFirstTouchAt().AsTime().Before(received.AsTime()):
		return nil, &refusal{m.own[fieldFirstTouch].name, "first_touch_at lies before received_at"}
	case row.GetClosedAt() != nil && row.GetClosedAt().AsTime().Before(received.AsTime()):
		return nil, &refusal{m.own[fieldClosed].name, "closed_at lies before received_at"}
	}
	if err := access.Validate(row); err != nil {
		return nil, &refusal{reason: access.FaultOf(err).Error()}
	}
	return row, nil
}

// fate reads who had a lead and what became of it.
func (m *mapping) fate(cells []string, row *intakev1.HistoryRow) *refusal {
	var no *refusal
	if row.Owner, no = m.handle(cells, fieldOwner); no != nil {
		return no
	}
	if row.Outcome, no = m.outcomeWord(cells, historyKind.outcomes); no != nil {
		return no
	}
	closed := row.GetOutcome() == "won" || row.GetOutcome() == "lost"
	if !closed {
		row.ClosedAt = nil
	} else if row.GetClosedAt() == nil {
		return &refusal{m.own[fieldClosed].name, "closed_at is empty, but the outcome is " + row.GetOutcome()}
	}
	if row.GetOutcome() == "won" {
		row.ValueMinor, row.Currency, no = m.money(cells)
	}
	return no
}

// own text of a field; empty where no column holds it.
func (m *mapping) text(cells []string, field string) string {
	c, there := m.own[field]
	if !there {
		return ""
	}
	text, _ := c.text(cells)
	return text
}

// handle reads somebody's handle, or makes one of their name.
func (m *mapping) handle(cells []string, field string) (string, *refusal) {
	typed := m.text(cells, field)
	handle := handleOf(typed)
	if handle == "" && typed != "" {
		return "", &refusal{m.own[field].name, "the " + field + " cannot be written as a handle; say in the map which handle is meant"}
	}
	return handle, nil
}

// outcomeWord reads what became of a lead.
func (m *mapping) outcomeWord(cells, words []string) (string, *refusal) {
	c, there := m.own[fieldOutcome]
	if !there {
		return "", nil
	}
	typed, mapped := c.text(cells)
	if !mapped {
		typed = strings.ToLower(typed)
	}
	if !slices.Contains(words, typed) {
		return "", &refusal{c.name, "the outcome is none of " + wordList(words) + "; say in the map what it means"}
	}
	return typed, nil
}

// money reads a value with its currency; none where the cell is empty.
func (m *mapping) money(cells []string) (minor int64, currency string, no *refusal) {
	c, there := m.own[fieldValue]
	typed := m.text(cells, fieldValue)
	if !there || typed == "" {
		return 0, "", nil
	}
	spec := c.spec
	if spec.Currency == "" {
		spec.Currency = strings.ToUpper(m.text(cells, fieldCurrency))
		digits, known := lead.MinorDigits(spec.Currency)
		if !known || spec.Scale > digits {
			return 0, "", &refusal{m.own[fieldCurrency].name, "the currency is none such as EUR"}
		}
	}
	minor, why := moneyOf(typed, &spec)
	if why != "" {
		return 0, "", &refusal{c.name, why}
	}
	return minor, spec.Currency, nil
}

// moneyOf reads a value in minor units of its currency.
func moneyOf(typed string, s *columnSpec) (minor int64, why string) {
	digits, _ := lead.MinorDigits(s.Currency)
	text := strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "").Replace(typed)
	if s.Decimal == "," {
		text = strings.Replace(strings.ReplaceAll(text, ".", ""), ",", ".", 1)
	} else if s.Decimal == "." {
		text = strings.ReplaceAll(text, ",", "")
	}
	if minor, ok := scaled(text, digits-s.Scale); ok && minor >= 0 {
		return minor, ""
	}
	if s.Decimal == "" && strings.ContainsAny(text, ".,") {
		return 0, "the value may have thousands marks or more decimals than " + s.Currency + " has: declare its decimal mark in the map, such as decimal: \",\""
	}
	return 0, "the value is no amount of " + s.Currency
}

var isHandle = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// spelled are letters that no decomposition turns into plain ones.
var spelled = strings.NewReplacer("ß", "ss", "ø", "o", "æ", "ae", "œ", "oe", "ł", "l", "đ", "d", "þ", "th", "ð", "d", "ı", "i")

// handleOf writes a name as a handle: "Mei-Mei Johns" is mei-mei.johns. Empty
// where nothing is left of it.
func handleOf(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if isHandle.MatchString(name) {
		return name
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(spelled.Replace(name)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			b.WriteRune(r)
		case unicode.IsSpace(r) && b.Len() > 0 && !strings.HasSuffix(b.String(), "."):
			b.WriteByte('.')
		}
	}
	handle := strings.TrimRight(b.String(), ".-_")
	if !isHandle.MatchString(handle) {
		return ""
	}
	return handle
}
