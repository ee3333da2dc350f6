package feedback

import (
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
)

// stated is an outcome as somebody states it: a member, or a file of another system.
type stated interface {
	GetKind() leadv1.OutcomeKind
	GetDirection() string
	GetDisposition() string
	GetDealStage() string
}

// agreed holds the words of an outcome against the agreement in force, and answers
// whether its disposition means that the person was reached. A word that is not agreed is
// refused with those that are.
func agreed(rules *agreement.Agreement, o stated) (reached bool, err error) {
	touch, stage := o.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, o.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_STAGE
	switch {
	case o.GetDirection() != "" && !touch:
		return false, fault.New(fault.Invalid, "direction: only a touch has one")
	case o.GetDisposition() != "" && !touch:
		return false, fault.New(fault.Invalid, "disposition: only a touch has one")
	case o.GetDealStage() != "" && !stage:
		return false, fault.New(fault.Invalid, "deal_stage: it goes with the kind stage alone; record two outcomes")
	case stage && o.GetDealStage() == "":
		return false, fault.New(fault.Invalid, "deal_stage: say which%s", of(stageIDs(rules)))
	case touch && o.GetDisposition() != "":
		return disposition(rules, o.GetDisposition())
	case stage:
		return false, dealStage(rules, o.GetDealStage())
	}
	return false, nil
}

func disposition(rules *agreement.Agreement, id string) (reached bool, err error) {
	var known []string
	if rules != nil {
		if d, ok := rules.Disposition(id); ok {
			return d.Reached, nil
		}
		for _, d := range rules.Dispositions() {
			known = append(known, d.ID)
		}
	}
	if len(known) == 0 {
		return false, fault.New(fault.State, "disposition: nothing is agreed that can come of a touch; add `dispositions` to the agreement, or leave it out")
	}
	return false, fault.New(fault.Invalid, "disposition: %q is not agreed; use one of %s", id, strings.Join(known, ", "))
}

func dealStage(rules *agreement.Agreement, id string) error {
	known := stageIDs(rules)
	for _, one := range known {
		if one == id {
			return nil
		}
	}
	if len(known) == 0 {
		return fault.New(fault.State, "deal_stage: no stages of a deal are agreed; add `deal_stages` to the agreement, or record working, won or lost")
	}
	return fault.New(fault.Invalid, "deal_stage: %q is not agreed; use one of %s", id, strings.Join(known, ", "))
}

func stageIDs(rules *agreement.Agreement) (ids []string) {
	if rules == nil {
		return nil
	}
	for _, s := range rules.DealStages() {
		ids = append(ids, s.Name)
	}
	return ids
}

// of lists what can be chosen; empty where nothing can.
func of(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ": one of " + strings.Join(ids, ", ")
}
