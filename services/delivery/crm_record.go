package delivery

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// What a lead is in a customer system: which fields hold what, and by which one it is
// found again.

// Addresses, objects and fields that are meant where nobody says otherwise.
const (
	hubSpotURL       = "https://api.hubapi.com"
	hubSpotID        = "baton_lead_id"
	salesforceObject = "Lead"
	salesforceID     = "Baton_Lead_Id__c"
)

// Fields that Salesforce makes no lead without, and what stands there while nothing is
// known. It is said to a new record alone: what somebody wrote there since stays.
var salesforceNeeds = []string{"LastName", "Company"}

const notKnown = "unknown"

// usualFields are what is written where nobody says otherwise; nil = nobody can know.
func usualFields(kind deliveryv1.ChannelKind, object string) map[string]string {
	switch {
	case kind == deliveryv1.ChannelKind_CHANNEL_KIND_HUBSPOT:
		return map[string]string{"email": "email", "firstname": "first_name", "lastname": "last_name", "phone": "phone", "company": "company", "jobtitle": "job_title"}
	case object == salesforceObject:
		return map[string]string{"LastName": "last_name", "FirstName": "first_name", "Email": "email", "Phone": "phone", "Company": "company", "Title": "job_title"}
	}
	return nil
}

// asCustomer fills in what is written to a customer system, as a request wants it; set
// is the channel with what the request says of all kinds. The object and the field of the
// id stay as they are: under others each lead would get a second record.
func asCustomer(set *deliveryv1.ChannelSet, req *deliveryv1.SetChannelRequest) error {
	kind := set.GetKind()
	if !customer(kind) {
		if len(req.GetFields()) > 0 || req.GetIdField() != "" || req.GetObject() != "" {
			return fault.New(fault.Invalid, "fields: a channel of the kind %s writes no records; only hubspot and salesforce do", kindWord(kind))
		}
		return nil
	}
	id, object := hubSpotID, ""
	if kind == deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE {
		id, object = salesforceID, salesforceObject
	}
	switch {
	case len(req.GetEvents()) > 0:
		return fault.New(fault.Invalid, "events: a customer system is told of none; it holds each lead as it stands")
	case object == "" && req.GetObject() != "":
		return fault.New(fault.Invalid, "object: in HubSpot contacts are written, and nothing else")
	case set.GetIdField() != "" && req.GetIdField() != "" && req.GetIdField() != set.GetIdField():
		return fault.New(fault.Invalid, "id_field: records are found by %s, which cannot change; take another channel", set.GetIdField())
	case set.GetObject() != "" && req.GetObject() != "" && req.GetObject() != set.GetObject():
		return fault.New(fault.Invalid, "object: %s is written, which cannot change; take another channel", set.GetObject())
	}
	set.IdField, set.Object = cmp.Or(set.GetIdField(), req.GetIdField(), id), cmp.Or(set.GetObject(), req.GetObject(), object)
	if len(req.GetFields()) > 0 {
		set.Fields = maps.Clone(req.GetFields())
	}
	if len(set.GetFields()) == 0 {
		if set.Fields = usualFields(kind, set.GetObject()); set.Fields == nil {
			return fault.New(fault.Invalid, "fields: there are no usual ones of %s; say which of its fields hold what", set.GetObject())
		}
	}
	for name := range set.GetFields() { // any order: two cannot both be the id
		if name == set.GetIdField() || name == "attributes" {
			return fault.New(fault.Invalid, "fields: %s is written by itself and holds nothing else", name)
		}
	}
	return nil
}

// enters says whether a token is of the form that a customer system takes.
func enters(kind deliveryv1.ChannelKind, token string) error {
	if token == "" {
		return fault.New(fault.Invalid, "token: a channel of the kind %s needs the token by which it lets us in", kindWord(kind))
	}
	if id, secret, ok := strings.Cut(token, ":"); kind == deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE && (!ok || id == "" || secret == "") {
		return fault.New(fault.Invalid, "token: Salesforce wants client id and secret of a connected app, written id:secret")
	}
	return nil
}

// recordOf is a lead as a customer system is to hold it; p is who it is. written says
// that it holds it already.
func recordOf(set *deliveryv1.ChannelSet, s *lead.State, p *leadv1.PersonalData, written bool) Record {
	r := Record{ExternalID: s.ID}
	for _, name := range slices.Sorted(maps.Keys(set.GetFields())) {
		value := factOf(set.GetFields()[name], s, p)
		if value == "" && !written && set.GetKind() == deliveryv1.ChannelKind_CHANNEL_KIND_SALESFORCE && slices.Contains(salesforceNeeds, name) {
			value = notKnown
		}
		r.Fields = append(r.Fields, Field{name, value})
	}
	return r
}

// factOf is a fact of a lead by its name; empty = it is not known.
func factOf(name string, s *lead.State, p *leadv1.PersonalData) string {
	switch name {
	case "email":
		return p.GetEmail()
	case "first_name":
		return p.GetFirstName()
	case "last_name":
		// A form that asks for the name as a whole has it all.
		return cmp.Or(p.GetLastName(), strings.TrimSpace(strings.TrimPrefix(p.GetName(), p.GetFirstName())))
	case "name":
		return p.GetName()
	case "phone":
		return p.GetPhone()
	case "company":
		return p.GetCompany()
	case "job_title":
		return p.GetJobTitle()
	case "country":
		return s.Features.GetCountry()
	case "stage":
		return lead.StageWord(s.Stage)
	case "state":
		return lead.StateWord(s.State)
	case "owner":
		return s.Owner
	case "source":
		return s.Source
	case "campaign":
		return s.First.Attribution.GetCampaign()
	case "product":
		return s.Features.GetProduct()
	case "lead_id":
		return s.ID
	}
	return ""
}

var codeForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// codeWord is the other side's code as a word of ours: what is no code may say anything.
func codeWord(code string) string {
	if !codeForm.MatchString(code) {
		return faultRefused
	}
	return code[:min(len(code), 32)]
}
