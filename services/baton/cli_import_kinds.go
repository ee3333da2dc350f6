package main

import (
	"slices"
	"strings"
)

// Kinds of rows, as --kind names them.
const (
	kindLeads      = "leads"
	kindHistory    = "history"
	kindOwners     = "owners"
	kindOutcomes   = "outcomes"
	kindActivities = "activities"
	kindPeople     = "people"
	kindAccounts   = "accounts"
)

// Fields beside those of the person.
const (
	fieldExternalID = "external_id"
	fieldReceived   = "received_at"
	fieldOwner      = "owner"
	fieldFirstTouch = "first_touch_at"
	fieldOutcome    = "outcome"
	fieldClosed     = "closed_at"
	fieldValue      = "value"

	fieldID       = "id"
	fieldAt       = "occurred_at"
	fieldMember   = "member"
	fieldChannel  = "channel"
	fieldReason   = "reason"
	fieldCurrency = "currency"
	fieldKind     = "kind"
	fieldEmail    = "email"
	fieldPhone    = "phone"
	fieldHandle   = "handle"
	fieldRoles    = "roles"
	fieldName     = "name"
	fieldDomain   = "domain"
	fieldSegment  = "segment"

	fieldDirection   = "direction"
	fieldDisposition = "disposition"
	fieldDealStage   = "deal_stage"
	fieldMinutes     = "minutes"
	fieldTeam        = "team"
	fieldManager     = "manager"
	fieldOffice      = "office"
	fieldFrom        = "from"
	fieldIndustry    = "industry"
	fieldEmployees   = "employees"
	fieldCountry     = "country"
)

// kind is what a file's rows are.
type kind struct {
	name string
	// own are the fields that the kind has, needs those that it must have, and names those
	// of which it must have one.
	own, needs, names []string
	// person says that the rows hold persons too, as forms do.
	person bool
	// outcomes are the words for what became of a lead.
	outcomes []string
	// source says that the rows belong to one.
	source bool
}

// all are the fields in the order in which a help page lists them.
func (k kind) all() []string {
	if !k.person {
		return k.own
	}
	// The id names the row and comes first; the rest follows the person.
	return slices.Concat(k.own[:1], fieldsOfPerson, k.own[1:])
}

var historyKind = kind{
	name: kindHistory, person: true, source: true, outcomes: []string{"", "open", "won", "lost"},
	own:   []string{fieldExternalID, fieldReceived, fieldOwner, fieldFirstTouch, fieldOutcome, fieldClosed, fieldValue},
	needs: []string{fieldExternalID, fieldReceived},
}

var kinds = []kind{
	{name: kindLeads, person: true, source: true, own: []string{fieldExternalID}},
	{
		name: kindOutcomes, source: true, outcomes: []string{"touch", "working", "stage", "won", "lost"},
		own: []string{
			fieldExternalID, fieldOutcome, fieldAt, fieldMember, fieldChannel, fieldDirection, fieldDisposition, fieldMinutes, fieldDealStage,
			fieldReason, fieldValue, fieldCurrency, fieldID,
		},
		needs: []string{fieldExternalID, fieldOutcome, fieldAt},
	},
	{
		name: kindOwners, source: true,
		own:   []string{fieldExternalID, fieldOwner, fieldAt, fieldID},
		needs: []string{fieldExternalID, fieldOwner, fieldAt},
	},
	{
		name: kindActivities, source: true,
		own:   []string{fieldExternalID, fieldKind, fieldAt, fieldEmail, fieldPhone, fieldID, "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"},
		needs: []string{fieldKind, fieldAt},
	},
	{name: kindPeople, own: []string{fieldHandle, fieldRoles, fieldName, fieldEmail, fieldTeam, fieldManager, fieldOffice, fieldFrom}, needs: []string{fieldHandle, fieldRoles}},
	{name: kindAccounts, own: []string{fieldDomain, fieldName, fieldOwner, fieldSegment, fieldIndustry, fieldEmployees, fieldCountry}, names: []string{fieldDomain, fieldName}},
}

// kindOf finds a kind by its name; history are leads of the past.
func kindOf(name string, history bool) (kind, bool) {
	for _, k := range kinds {
		if k.name == name {
			if history && name == kindLeads {
				return historyKind, true
			}
			return k, !history
		}
	}
	return kind{}, false
}

func kindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

func isDateField(field string) bool {
	return slices.Contains([]string{fieldReceived, fieldFirstTouch, fieldClosed, fieldAt, fieldFrom}, field)
}

// wordList lists words and leaves out the empty one.
func wordList(words []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" }), ", ")
}
