"""What reads the outputs of guests, by the name in their card: one function each.

A decoder takes the outputs as they came, in the card's order or the model's. It goes by their
shapes, not by their names, since names may say anything.
"""
