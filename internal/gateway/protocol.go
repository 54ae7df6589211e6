package gateway

import (
	"encoding/json"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// The objects of the Open Inference Protocol v2, REST:
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md

type serverMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

type modelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions"`
	Platform string           `json:"platform"`
	Inputs   []metadataTensor `json:"inputs"`
	Outputs  []metadataTensor `json:"outputs"`
}

type metadataTensor struct {
	Name     string   `json:"name"`
	Datatype string   `json:"datatype"`
	Shape    []int    `json:"shape"`             // -1: any number of rows
	Classes  []string `json:"classes,omitempty"` // extension: what the columns of the probabilities are of
}

type modelReady struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

type inferRequest struct {
	ID        string                       `json:"id"`
	Inputs    []inputTensor                `json:"inputs"`
	Outputs   []requestedOutput            `json:"outputs"`
	Instances []map[string]json.RawMessage `json:"instances"` // extension
}

type inputTensor struct {
	Name     string            `json:"name"`
	Shape    []int             `json:"shape"`
	Datatype string            `json:"datatype"`
	Data     []json.RawMessage `json:"data"`
}

type requestedOutput struct {
	Name string `json:"name"`
}

type inferResponse struct {
	ModelName    string          `json:"model_name"`
	ModelVersion string          `json:"model_version"`
	ID           string          `json:"id"`
	Parameters   inferParameters `json:"parameters"`
	Outputs      []outputTensor  `json:"outputs"`
}

type inferParameters struct {
	Role     string `json:"role"` // champion or candidate
	Fallback bool   `json:"fallback,omitempty"`
}

// outputTensor holds numbers, row by row, or with datatype BYTES texts.
type outputTensor struct {
	Name     string
	Shape    []int
	Datatype string
	Data     []float64
	Texts    []string
}

// MarshalJSON gives the tensor as the protocol has it.
func (t outputTensor) MarshalJSON() ([]byte, error) {
	var data any = t.Data
	if t.Datatype == bytesType {
		data = t.Texts
	}
	return json.Marshal(struct {
		Name     string `json:"name"`
		Shape    []int  `json:"shape"`
		Datatype string `json:"datatype"`
		Data     any    `json:"data"`
	}{t.Name, t.Shape, t.Datatype, data})
}

const bytesType = "BYTES"

// Outputs of models: of a binary one the score, of a multiclass one the class and the probabilities of all, of a regression
// the prediction.
const (
	scoreOutput         = "score"
	classOutput         = "class"
	probabilitiesOutput = "probabilities"
	predictionOutput    = "prediction"
)

// outputsOf are the outputs of a model.
func outputsOf(s model.Schema) []metadataTensor {
	numbers := func(name string) metadataTensor {
		return metadataTensor{Name: name, Datatype: "FP64", Shape: []int{-1}}
	}
	switch s.TaskOf() {
	case stats.Multiclass:
		return []metadataTensor{
			{Name: probabilitiesOutput, Datatype: "FP64", Shape: []int{-1, s.Width()}, Classes: s.Classes},
			{Name: classOutput, Datatype: bytesType, Shape: []int{-1}},
		}
	case stats.Regression:
		return []metadataTensor{numbers(predictionOutput)}
	default:
		return []metadataTensor{numbers(scoreOutput)}
	}
}

const (
	serverName = "assay"
	platform   = "assay_model"
)

var extensions = []string{"instances", "null_is_missing", "labels"}

func tensorsOf(s model.Schema) []metadataTensor {
	inputs := make([]metadataTensor, len(s.Features))
	for i, f := range s.Features {
		inputs[i] = metadataTensor{Name: f.Name, Datatype: bytesType, Shape: []int{-1}}
		if f.Kind == table.Numeric {
			inputs[i].Datatype = "FP64"
		}
	}
	return inputs
}
