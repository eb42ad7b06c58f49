print("lpuc")
