package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
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
func (m *mapping) item(cells []string) intake.Item {
	var item intake.Item
	for _, c := range slices.Concat(m.fields, m.answers) {
		text, _ := c.text(cells)
		item.Leaves = append(item.Leaves, intake.Leaf{Path: c.field, Key: c.field, Value: text})
	}
	return item
}

// submission turns a row's cells into a submission. rules are the agreement's
// words; nil = none are agreed.
func (m *mapping) submission(rec *record, rules intake.Vocabulary) (*intakev1.Submission, *refusal) {
	switch {
	case rec.reject != "":
		return nil, &refusal{reason: rec.reject}
	case len(rec.cells) != len(m.header):
		return nil, &refusal{reason: "the row has " + counted(int64(len(rec.cells)), "cell", "cells") + " where the header has " + grouped(int64(len(m.header)))}
	case !slices.ContainsFunc(rec.cells, func(s string) bool { return strings.TrimSpace(s) != "" }):
		return nil, &refusal{reason: "the row is empty"}
	}
	item := m.item(rec.cells)
	sub := intake.Map(item, rules, nil).Submission
	if c, there := m.own[fieldExternalID]; there {
		sub.ExternalId, _ = c.text(rec.cells)
	}
	return sub, nil
}

// key names a row for ever: the sender's own id, or what the row holds.
func (m *mapping) key(rec *record, sub *intakev1.Submission) string {
	if sub.GetExternalId() != "" {
		return sub.GetExternalId()
	}
	digest := sha256.Sum256(m.item(rec.cells).Canonical())
	return "row:" + hex.EncodeToString(digest[:])
}

// live is a row as a new lead.
func (m *mapping) live(source string, rec *record, rules intake.Vocabulary) (*intakev1.SubmitRequest, *refusal) {
	sub, no := m.submission(rec, rules)
	if no != nil {
		return nil, no
	}
	req := &intakev1.SubmitRequest{Source: source, IdempotencyKey: m.key(rec, sub), Submission: sub}
	if err := access.Validate(req); err != nil {
		return nil, &refusal{reason: access.FaultOf(err).Error()}
	}
	return req, nil
}

// past is a row as a fact of the past.
func (m *mapping) past(rec *record, rules intake.Vocabulary) (*intakev1.HistoryRow, *refusal) {
	sub, no := m.submission(rec, rules)
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
	if c, there := m.own[fieldOwner]; there {
		typed, _ := c.text(cells)
		if row.Owner = handleOf(typed); row.Owner == "" && typed != "" {
			return &refusal{c.name, "the owner cannot be written as a handle; say in the map which handle is meant"}
		}
	}
	if c, there := m.own[fieldOutcome]; there {
		typed, mapped := c.text(cells)
		if !mapped {
			typed = strings.ToLower(typed)
		}
		if row.Outcome = typed; !slices.Contains(pastOutcomes, typed) {
			return &refusal{c.name, "the outcome is none of " + strings.Join(pastOutcomes[1:], ", ") + "; say in the map what it means"}
		}
	}
	closed := row.GetOutcome() == "won" || row.GetOutcome() == "lost"
	if !closed {
		row.ClosedAt = nil
	} else if row.GetClosedAt() == nil {
		return &refusal{m.own[fieldClosed].name, "closed_at is empty, but the outcome is " + row.GetOutcome()}
	}
	if c, there := m.own[fieldValue]; there && row.GetOutcome() == "won" {
		typed, _ := c.text(cells)
		if typed == "" {
			return nil
		}
		minor, why := moneyOf(typed, &c.spec)
		if why != "" {
			return &refusal{c.name, why}
		}
		row.ValueMinor, row.Currency = minor, c.spec.Currency
	}
	return nil
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

// isoLayouts are the dates that need no declaration: year first.
var isoLayouts = []string{
	time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
}

var dayFirstOrMonthFirst = regexp.MustCompile(`^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}`)

// date reads one of the dates; nil where the cell is empty.
func (m *mapping) date(cells []string, field string) (*time.Time, *refusal) {
	c, there := m.own[field]
	if !there {
		return nil, nil
	}
	text, _ := c.text(cells)
	if text == "" {
		return nil, nil
	}
	if c.layout != "" {
		if t, err := time.ParseInLocation(c.layout, text, m.zone); err == nil {
			return &t, nil
		}
		return nil, &refusal{c.name, field + " does not have the declared format " + c.spec.Format}
	}
	for _, layout := range isoLayouts {
		if t, err := time.ParseInLocation(layout, text, m.zone); err == nil {
			return &t, nil
		}
	}
	if dayFirstOrMonthFirst.MatchString(text) {
		return nil, &refusal{c.name, field + " is ambiguous: 03/04/2026 can be 3 April or 4 March; declare its format in the map, such as format: DD/MM/YYYY"}
	}
	return nil, &refusal{c.name, field + " is no date such as 2026-04-03 or 2026-04-03T18:00:00+02:00; declare its format in the map, such as format: DD.MM.YYYY HH:mm"}
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
