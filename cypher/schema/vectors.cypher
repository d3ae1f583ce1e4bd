CREATE VECTOR INDEX phrase_vector IF NOT EXISTS FOR (p:Phrase) ON (p.vector) OPTIONS {indexConfig: {`vector.similarity_function`: "cosine", `vector.quantization.enabled`: false}}
