from customers_orders.pipeline import main

if __name__ == "__main__":
    main()
