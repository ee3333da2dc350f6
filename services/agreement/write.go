package agreement

import (
	"strings"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// clone keeps the facts of a lead out of the hands of who tries others.
func (f Facts) clone() Facts {
	if f.Features != nil {
		f.Features = proto.CloneOf(f.Features)
	}
	if f.Call != nil {
		f.Call = proto.CloneOf(f.Call)
	}
	return f
}

func (f *Facts) features() *leadv1.Features {
	if f.Features == nil {
		f.Features = &leadv1.Features{}
	}
	return f.Features
}

func (f *Facts) attribution() *leadv1.Attribution {
	features := f.features()
	if features.Attribution == nil {
		features.Attribution = &leadv1.Attribution{}
	}
	return features.Attribution
}

func (f *Facts) call() *leadv1.CallRecorded {
	if f.Call == nil {
		f.Call = &leadv1.CallRecorded{}
	}
	return f.Call
}

// write is the counterpart of read: it puts a fact in place, nil for unknown.
// What cannot be (no known number of employees is 0) stays as read says.
// false = nobody can write this fact.
func (v *variable) write(f *Facts, fact any) bool {
	text, _ := fact.(string)
	number, _ := fact.(int64)
	flag, _ := fact.(bool)
	if v.touch != "" {
		// That somebody did nothing is known.
		f.recount(v.touch, v.days, number)
		return true
	}
	if id, ok := strings.CutPrefix(v.name, "answers."); ok {
		features := f.features()
		features.Answers = answered(features.Answers, id, fact)
		return true
	}
	if id, ok := strings.CutPrefix(v.name, "call.answers."); ok {
		if fact != nil || f.Call != nil {
			call := f.call()
			call.Answers = answered(call.Answers, id, fact)
		}
		return true
	}
	switch v.name {
	case "lead.country":
		f.features().Country = text
	case "lead.employees":
		f.features().Employees = number
	case "lead.industry":
		f.features().Industry = text
	case "lead.role":
		f.features().Role = text
	case "lead.product":
		f.features().Product = text
	case "lead.language":
		f.features().Language = text
	case "lead.contact_wish":
		f.features().ContactWish = map[string]leadv1.ContactWish{
			"contact":      leadv1.ContactWish_CONTACT_WISH_CONTACT,
			"content-only": leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY,
		}[text]
	case "lead.has_email":
		f.features().HasEmail = flag
	case "lead.has_phone":
		f.features().HasPhone = flag
	case "lead.has_company":
		f.features().HasCompany = flag
	case "lead.free_email":
		f.features().FreeEmail = flag
	case "lead.source":
		f.attribution().Source = text
	case "lead.medium":
		f.attribution().Medium = text
	case "lead.campaign":
		f.attribution().Campaign = text
	case "call.reached", "call.fit_confirmed", "call.horizon_months":
		v.writeCall(f, fact)
	default:
		return false
	}
	return true
}

func (v *variable) writeCall(f *Facts, fact any) {
	if fact == nil && f.Call == nil {
		return
	}
	call := f.call()
	flag, _ := fact.(bool)
	switch v.name {
	case "call.reached":
		call.Reached = flag
	case "call.fit_confirmed":
		call.FitConfirmed = flag
	default:
		call.HorizonMonths = nil
		if n, ok := fact.(int64); ok {
			call.HorizonMonths = proto.Int64(n)
		}
	}
}

func answered(answers map[string]*leadv1.Value, id string, fact any) map[string]*leadv1.Value {
	if answers == nil && fact != nil {
		answers = make(map[string]*leadv1.Value)
	}
	switch fact := fact.(type) {
	case string:
		answers[id] = &leadv1.Value{Kind: &leadv1.Value_Text{Text: fact}}
	case int64:
		answers[id] = &leadv1.Value{Kind: &leadv1.Value_Number{Number: fact}}
	case bool:
		answers[id] = &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: fact}}
	default:
		delete(answers, id)
	}
	return answers
}

// stands says whether the facts hold exactly this: some facts exclude each
// other, and then reading does not give back what was written.
func (v *variable) stands(f *Facts, fact any) bool {
	read, known := v.read(f)
	return known == (fact != nil) && (!known || read == fact)
}
